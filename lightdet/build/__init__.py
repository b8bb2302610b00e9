"""The only place where configuration meets constructors."""
