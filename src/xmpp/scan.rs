//! The smallest cutting of markup, for views.
