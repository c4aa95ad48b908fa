//! The embedded server behind real sockets, on threads of its own.
