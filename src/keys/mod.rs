//! Where key sets come from; beside the path of a request, never on it.
