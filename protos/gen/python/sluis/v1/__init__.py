"""Generated code of package sluis.v1."""
