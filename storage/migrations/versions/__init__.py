"""The revisions, one file each; the number in the name is the revision."""
