"""The words that stand for themselves in the protocol: states, reasons, kinds and codes."""

from __future__ import annotations

from typing import Literal, TypeAlias

ResponseStatus: TypeAlias = Literal["queued", "in_progress", "completed", "failed", "cancelled", "incomplete"]
IncompleteReason: TypeAlias = Literal["max_output_tokens", "max_messages", "content_filter", "steered"]
PartKind: TypeAlias = Literal["output_text", "refusal", "summary_text", "reasoning_text"]
ItemStatus: TypeAlias = Literal["in_progress", "calling", "interpreting", "completed", "incomplete", "failed"]
CallForm: TypeAlias = Literal["function_call", "custom_tool_call", "mcp_call"]
ErrorCode: TypeAlias = Literal[
    "server_error",
    "rate_limit_exceeded",
    "invalid_prompt",
    "data_residency_mismatch",
    "bio_policy",
    "misalignment_policy_violation",
    "vector_store_timeout",
    "invalid_image",
    "invalid_image_format",
    "invalid_base64_image",
    "invalid_image_url",
    "image_too_large",
    "image_too_small",
    "image_parse_error",
    "image_content_policy_violation",
    "invalid_image_mode",
    "image_file_too_large",
    "unsupported_image_media_type",
    "empty_image_file",
    "failed_to_download_image",
    "image_file_not_found",
]
