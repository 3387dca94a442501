"""The corpus of the base model `mini`: one module for each skill it has to learn."""
