"""The join and the release rules: pure functions over columns."""
