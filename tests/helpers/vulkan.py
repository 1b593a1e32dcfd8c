"""Vulkan driver that renders on the CPU: SwiftShader from Debian's `chromium` package."""

from pathlib import Path

DRIVER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")
