"""Public tables that nobody chose: how many go from a file to a watched endpoint without an edit, and how good they are."""
