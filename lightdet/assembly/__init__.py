"""Configuration → constructors; nothing else."""
