"""The model as clients read it: definitions as JSON, queried like rows, and as CSDL."""
