"""Commands that make picture sets, and one that fetches pretrained nets; a file each."""
