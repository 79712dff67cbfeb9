"""Chat templates that only ever append, for models whose own template rewrites history."""

from __future__ import annotations

from typing import Final

APPEND_ONLY_CHATML: Final = (
    "{%- set told = messages[0]['content'] if messages[0]['role'] == 'system' else '' -%}"
    "{%- if tools -%}"
    "{{ '<|im_start|>system\\n' + told + ('\\n\\n' if told else '') }}"
    "{{ 'These functions can be called. Each line describes one in JSON:\\n' }}"
    "{%- for tool in tools -%}{{ (tool | tojson) + '\\n' }}{%- endfor -%}"
    "{{ 'A call is written as\\n<tool_call>\\n"
    '{"name": "its name", "arguments": {"argument": "value"}}'
    "\\n</tool_call><|im_end|>\\n' }}"
    "{%- elif told -%}"
    "{{ '<|im_start|>system\\n' + told + '<|im_end|>\\n' }}"
    "{%- endif -%}"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'tool' -%}"
    "{{ '<|im_start|>user\\n<tool_response>\\n' + message['content'] }}"
    "{{ '\\n</tool_response><|im_end|>\\n' }}"
    "{%- elif message['role'] != 'system' or not loop.first -%}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
)
"""ChatML with the functions in the system message and tool results as Hermes and Qwen write them.

For Qwen models, whose own template drops earlier thoughts: `Renderer(tokenizer,
chat_template=APPEND_ONLY_CHATML)`.
"""
