"""From what a suite calls a model to loaded weights and a tokenizer on a device.

May import `core`.
"""

import logging

# transformers' Trainer imports bitsandbytes where it is installed, which then warns of a kernel that is not
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
