"""Each verb's options, declared once: names, types, defaults, help. Command line and Python API are made from them."""
