"""Number formats: bytes per element, which peak they compute at, and what a precision means on which hardware."""

from __future__ import annotations

from typing import Literal

Format = Literal["bf16", "fp8", "mxfp4", "nvfp4", "int4"]


BITS_FAMILY: dict[str, str] = {"bf16": "bf16", "fp8": "fp8", "mxfp4": "fp4", "nvfp4": "fp4", "int4": "bf16"}
"""Which peak of the hardware a number format computes at; integer weights are unpacked to BF16."""


BYTES_PER_PARAM: dict[str, float] = {"bf16": 2.0, "fp8": 1.0, "mxfp4": 0.53125, "nvfp4": 0.5625, "int4": 0.5625}
"""Stored bytes per parameter, block scales included. MXFP4: e2m1 with one e8m0 scale per 32 (OCP MX v1.0);
NVFP4: e2m1 with one e4m3 scale per 16; INT4: one BF16 scale per 32; FP8 128x128 block scales are below 0.03 % and left
out."""


KV_FORMATS: tuple[Format, ...] = ("bf16", "fp8")
"""Number formats of a KV cache that there are attention kernels of."""


STATE_BYTES: dict[str, float] = {"bf16": 2.0, "fp32": 4.0}
"""Bytes per element of the recurrent state."""


CONV_STATE_BYTES = BYTES_PER_PARAM["bf16"]
"""The convolution state is BF16 whatever the recurrent state is."""


FP4_OF_VENDOR: dict[str, tuple[Format, ...]] = {"amd": ("mxfp4",), "nvidia": ("nvfp4", "mxfp4")}
"""What a precision of "fp4" means when no checkpoint is named: the first of these that there is a checkpoint of."""


WIDER: dict[str, tuple[Format, ...]] = {
    "mxfp4": ("bf16",),
    "nvfp4": ("bf16",),
    "int4": ("bf16",),
    "fp8": ("bf16",),
    "bf16": (),
}
"""Wider formats that weights can be dequantised to, the next one first. Kernels for weights of four bits without a unit
for them compute in BF16 (Marlin, Triton's mxfp4_a16, aiter's a16w4)."""
