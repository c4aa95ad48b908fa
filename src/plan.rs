//! When things happen and to whom: a pure, invertible function of profile and seed.
