//! Pure statistics over what a run recorded.
