"""What each verb takes, declared once: names, types, defaults, help. Command line and Python are both made from it."""
