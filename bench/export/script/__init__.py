"""The files that an export copies into its folder as they are. They import nothing of ours."""
