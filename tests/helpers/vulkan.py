"""A Vulkan driver that renders on the CPU: SwiftShader, which Debian's `chromium` package carries."""

from pathlib import Path

DRIVER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")
