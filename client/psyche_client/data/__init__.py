"""The text that a run trains on: from files to tokenised shards, and back to sequences."""
