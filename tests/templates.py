"""Chat templates that behave as those of known families do, each with what a small conversation comes to, by hand.

The conversation: the instruction "Sum.", the few-shot example "1+1=" with the answer "2", and the item "3+4=".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Family:
    """A template, the tokens it writes, and the text up to an answer; `end` is the token that closes the answer."""

    template: str
    opening: str
    end: str
    tokens: tuple[str, ...] = ()
    bos: str = "<s>"
    gap: str = ""  # between the opening and an answer
    closing: str = ""  # between an answer and its EOS token
    options: dict[str, Any] = field(default_factory=dict)


_EACH = "{% for m in messages %}"
_ASK = "{% endfor %}{% if add_generation_prompt %}"
_SPLIT = (
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set rest = messages[1:] %}"
    "{% else %}{% set system = '' %}{% set rest = messages %}{% endif %}"
)
_NO_SYSTEM = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
_ALTERNATE = (
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
)
_CHATML = ("<|im_start|>", "<|im_end|>")
_CHATML_TURN = "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
_CHATML_ASK = _ASK + "{{ '<|im_start|>assistant\n' }}{% endif %}"
_CHATML_TURNS = (
    "<|im_start|>system\nSum.<|im_end|>\n<|im_start|>user\n1+1=<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n"
    "<|im_start|>user\n3+4=<|im_end|>\n<|im_start|>assistant\n"
)
_HEADER = "<|start_header_id|>{0}<|end_header_id|>\n\n"
_THINK_LAST = (
    "{% set thought = '<think>\n\n</think>\n\n' if m['role'] == 'assistant' and loop.last else '' %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + thought + m['content'] + '<|im_end|>\n' }}"
)

FAMILIES = {
    "llama-2": Family(
        _SPLIT + "{% for m in rest %}" + _ALTERNATE + "{% set c = m['content'] %}"
        "{% if loop.first and system %}{% set c = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + c %}{% endif %}"
        "{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + c.strip() + ' [/INST]' }}"
        "{% else %}{{ ' ' + c.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
        "<s>[INST] <<SYS>>\nSum.\n<</SYS>>\n\n1+1= [/INST] 2 </s><s>[INST] 3+4= [/INST]", "</s>", gap=" ", closing=" ",
    ),
    "mistral": Family(  # refuses a system turn, has no generation prompt
        "{{ bos_token }}" + _NO_SYSTEM + _EACH + _ALTERNATE + "{% if m['role'] == 'user' %}"
        "{{ '[INST] ' + m['content'] + ' [/INST]' }}{% else %}{{ m['content'] + eos_token }}{% endif %}{% endfor %}",
        "<s>[INST] Sum.\n\n1+1= [/INST]2</s>[INST] 3+4= [/INST]", "</s>",
    ),
    "mistral-3": Family(  # writes the system turn into the last user turn
        _SPLIT + "{{ bos_token }}{% for m in rest %}{% if m['role'] == 'user' %}"
        "{{ '[INST] ' + (system + '\n\n' if loop.last and system else '') + m['content'] + '[/INST]' }}"
        "{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}",
        "<s>[INST] 1+1=[/INST] 2</s>[INST] Sum.\n\n3+4=[/INST]", "</s>", ("[INST]", "[/INST]"), gap=" ",
    ),
    "mistral-tekken": Family(
        "{{ bos_token }}" + _EACH + "{% if m['role'] == 'system' %}"
        "{{ '[SYSTEM_PROMPT]' + m['content'] + '[/SYSTEM_PROMPT]' }}"
        "{% elif m['role'] == 'user' %}{{ '[INST]' + m['content'] + '[/INST]' }}"
        "{% else %}{{ m['content'] + eos_token }}{% endif %}{% endfor %}",
        "<s>[SYSTEM_PROMPT]Sum.[/SYSTEM_PROMPT][INST]1+1=[/INST]2</s>[INST]3+4=[/INST]", "</s>",
        ("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[INST]", "[/INST]"),
    ),
    "llama-3": Family(  # dated; strips content
        _SPLIT + "{% if date_string is not defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
        "{{ bos_token + '<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
        "Today Date: ' + date_string + '\n\n' + system.strip() + '<|eot_id|>' }}{% for m in rest %}"
        "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}"
        + _ASK + "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
        "<|begin_of_text|>" + _HEADER.format("system") + "Cutting Knowledge Date: December 2023\nToday Date: 01 Jan "
        "2026\n\nSum.<|eot_id|>" + _HEADER.format("user") + "1+1=<|eot_id|>" + _HEADER.format("assistant")
        + "2<|eot_id|>" + _HEADER.format("user") + "3+4=<|eot_id|>" + _HEADER.format("assistant"), "<|eot_id|>",
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"), bos="<|begin_of_text|>",
    ),
    "gemma": Family(  # refuses a system turn, calls the assistant by another name, trims content
        "{{ bos_token }}" + _NO_SYSTEM + _EACH + _ALTERNATE
        + "{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
        "{{ '<start_of_turn>' + role + '\n' + m['content'] | trim + '<end_of_turn>\n' }}" + _ASK
        + "{{ '<start_of_turn>model\n' }}{% endif %}",
        "<bos><start_of_turn>user\nSum.\n\n1+1=<end_of_turn>\n<start_of_turn>model\n2<end_of_turn>\n"
        "<start_of_turn>user\n3+4=<end_of_turn>\n<start_of_turn>model\n", "<end_of_turn>",
        ("<start_of_turn>", "<end_of_turn>"), bos="<bos>",
    ),
    "gemma-3": Family(  # writes the system turn into the first user turn
        _SPLIT + "{{ bos_token }}{% for m in rest %}{% set role = 'model' if m['role'] == 'assistant' else m['role'] %}"
        "{{ '<start_of_turn>' + role + '\n' + (system + '\n\n' if loop.first and system else '') }}"
        "{% if m['content'] is string %}{{ m['content'] | trim }}{% else %}{% for part in m['content'] %}"
        "{{ part['text'] | trim }}{% endfor %}{% endif %}{{ '<end_of_turn>\n' }}" + _ASK
        + "{{ '<start_of_turn>model\n' }}{% endif %}",
        "<bos><start_of_turn>user\nSum.\n\n1+1=<end_of_turn>\n<start_of_turn>model\n2<end_of_turn>\n"
        "<start_of_turn>user\n3+4=<end_of_turn>\n<start_of_turn>model\n", "<end_of_turn>",
        ("<start_of_turn>", "<end_of_turn>"), bos="<bos>",
    ),
    "chatml": Family(  # echoes any role, as Yi's: nothing says that it knows a system turn
        _EACH + _CHATML_TURN + _CHATML_ASK,
        "<|im_start|>user\nSum.\n\n1+1=<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n"
        "<|im_start|>user\n3+4=<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>", _CHATML,
    ),
    "qwen-2.5": Family(  # has a system turn of its own where none is given
        "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are helpful.<|im_end|>\n' }}{% endif %}"
        + _EACH + _CHATML_TURN + _CHATML_ASK,
        _CHATML_TURNS, "<|im_end|>", _CHATML,
    ),
    "qwen-3": Family(  # closes thinking where it is told to
        "{% if messages[0]['role'] == 'system' %}{% endif %}" + _EACH + _THINK_LAST + _ASK
        + "{{ '<|im_start|>assistant\n' }}{% if enable_thinking is defined and enable_thinking is false %}"
        "{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}",
        _CHATML_TURNS + "<think>\n\n</think>\n\n", "<|im_end|>", (*_CHATML, "<think>", "</think>"),
    ),
    "qwen-3, thinking": Family(  # an answer given has an empty thought, and so has one that is asked for
        "{% if messages[0]['role'] == 'system' %}{% endif %}" + _EACH + _THINK_LAST + _ASK
        + "{{ '<|im_start|>assistant\n' }}{% if not enable_thinking %}{{ 'never' }}{% endif %}{% endif %}",
        _CHATML_TURNS + "<think>\n\n</think>\n\n", "<|im_end|>", (*_CHATML, "<think>", "</think>"),
        options={"enable_thinking": True},
    ),
    "qwq": Family(  # always opens a thought
        "{% if messages[0]['role'] == 'system' %}{% endif %}" + _EACH + _CHATML_TURN + _ASK
        + "{{ '<|im_start|>assistant\n<think>\n' }}{% endif %}",
        _CHATML_TURNS + "<think>\n\n</think>\n\n", "<|im_end|>", (*_CHATML, "<think>", "</think>"),
    ),
    "deepseek-r1": Family(  # always opens a thought, and drops those of earlier turns
        _SPLIT + "{{ bos_token + system }}{% for m in rest %}{% if m['role'] == 'user' %}"
        "{{ '<|User|>' + m['content'] }}{% else %}{{ '<|Assistant|>' + m['content'].split('</think>')[-1] }}"
        "{{ eos_token }}{% endif %}" + _ASK + "{{ '<|Assistant|><think>\n' }}{% endif %}",
        "<s>Sum.<|User|>1+1=<|Assistant|>2</s><|User|>3+4=<|Assistant|><think>\n\n</think>\n\n", "</s>",
        ("<|User|>", "<|Assistant|>"),
    ),
    "deepseek-3.1": Family(  # switched by `thinking`; an answer without a thought begins with the end of one
        _SPLIT + "{{ bos_token + system }}{% for m in rest %}{% if m['role'] == 'user' %}"
        "{{ '<|User|>' + m['content'] }}{% else %}{{ '<|Assistant|></think>' + m['content'] + eos_token }}{% endif %}"
        + _ASK + "{{ '<|Assistant|>' + ('<think>' if thinking else '</think>') }}{% endif %}",
        "<s>Sum.<|User|>1+1=<|Assistant|></think>2</s><|User|>3+4=<|Assistant|></think>", "</s>",
        ("<|User|>", "<|Assistant|>", "<think>", "</think>"),
    ),
    "phi-3": Family(
        _EACH + "{% if m['role'] in ['system', 'user', 'assistant'] %}"
        "{{ '<|' + m['role'] + '|>\n' + m['content'] + '<|end|>\n' }}{% endif %}" + _ASK
        + "{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
        "<|system|>\nSum.<|end|>\n<|user|>\n1+1=<|end|>\n<|assistant|>\n2<|end|>\n<|user|>\n3+4=<|end|>\n"
        "<|assistant|>\n", "<|end|>", ("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
    ),
    "phi-4": Family(
        _EACH + "{% if m['role'] == 'system' or m['role'] == 'user' or m['role'] == 'assistant' %}"
        "{{ '<|im_start|>' + m['role'] + '<|im_sep|>' + m['content'] + '<|im_end|>' }}{% endif %}" + _ASK
        + "{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}",
        "<|im_start|>system<|im_sep|>Sum.<|im_end|><|im_start|>user<|im_sep|>1+1=<|im_end|><|im_start|>assistant"
        "<|im_sep|>2<|im_end|><|im_start|>user<|im_sep|>3+4=<|im_end|><|im_start|>assistant<|im_sep|>", "<|im_end|>",
        (*_CHATML, "<|im_sep|>"),
    ),
    "smollm-3": Family(  # dated; says how it is to think in its system turn
        _SPLIT + "{% set mode = '/think' if enable_thinking else '/no_think' %}{{ '<|im_start|>system\nToday Date: ' +"
        " strftime_now('%-d %B %Y') + '\nReasoning Mode: ' + mode + '\n\n' + system + '<|im_end|>\n' }}"
        "{% for m in rest %}" + _CHATML_TURN + _ASK + "{{ '<|im_start|>assistant\n' }}{% if not enable_thinking %}"
        "{{ '<think>\n\n</think>\n' }}{% endif %}{% endif %}",
        "<|im_start|>system\nToday Date: 1 January 2026\nReasoning Mode: /no_think\n\n"
        + _CHATML_TURNS.removeprefix("<|im_start|>system\n") + "<think>\n\n</think>\n", "<|im_end|>", _CHATML,
    ),
    "zephyr": Family(
        _EACH + "{% if m['role'] == 'user' %}{{ '<|user|>\n' + m['content'] + eos_token }}"
        "{% elif m['role'] == 'system' %}{{ '<|system|>\n' + m['content'] + eos_token }}"
        "{% else %}{{ '<|assistant|>\n' + m['content'] + eos_token }}{% endif %}{{ '\n' }}" + _ASK
        + "{{ '<|assistant|>\n' }}{% endif %}",
        "<|system|>\nSum.</s>\n<|user|>\n1+1=</s>\n<|assistant|>\n2</s>\n<|user|>\n3+4=</s>\n<|assistant|>\n", "</s>",
    ),
    "vicuna": Family(
        _SPLIT + "{{ bos_token + (system + ' ' if system else '') }}{% for m in rest %}{% if m['role'] == 'user' %}"
        "{{ 'USER: ' + m['content'] + ' ' }}{% else %}{{ 'ASSISTANT: ' + m['content'] + eos_token }}{% endif %}"
        + _ASK + "{{ 'ASSISTANT:' }}{% endif %}",
        "<s>Sum. USER: 1+1= ASSISTANT: 2</s>USER: 3+4= ASSISTANT:", "</s>", gap=" ",
    ),
    "vicuna, trailing space": Family(  # the space belongs to the answer
        _SPLIT + "{{ bos_token + (system + ' ' if system else '') }}{% for m in rest %}{% if m['role'] == 'user' %}"
        "{{ 'USER: ' + m['content'] + ' ' }}{% else %}{{ 'ASSISTANT: ' + m['content'] + eos_token }}{% endif %}"
        + _ASK + "{{ 'ASSISTANT: ' }}{% endif %}",
        "<s>Sum. USER: 1+1= ASSISTANT: 2</s>USER: 3+4= ASSISTANT:", "</s>", gap=" ",
    ),
    "command-r": Family(
        "{{ bos_token }}" + _EACH + "{% set names = {'system': 'SYSTEM', 'user': 'USER', 'assistant': 'CHATBOT'} %}"
        "{{ '<|START_OF_TURN_TOKEN|><|' + names[m['role']] + '_TOKEN|>' + m['content'] | trim + '<|END_OF_TURN_TOKEN|>'"
        " }}" + _ASK + "{{ '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' }}{% endif %}",
        "<s>" + "".join(
            f"<|START_OF_TURN_TOKEN|><|{role}_TOKEN|>{text}<|END_OF_TURN_TOKEN|>"
            for role, text in (("SYSTEM", "Sum."), ("USER", "1+1="), ("CHATBOT", "2"), ("USER", "3+4="))
        ) + "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>", "<|END_OF_TURN_TOKEN|>",
        ("<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>"),
    ),
    "granite": Family(  # switched by `thinking`
        _SPLIT + "{% if thinking %}{% set system = system + ' Think first.' %}{% endif %}{{ '<|start_of_role|>system"
        "<|end_of_role|>' + system + '<|end_of_text|>\n' }}{% for m in rest %}"
        "{{ '<|start_of_role|>' + m['role'] + '<|end_of_role|>' + m['content'] + '<|end_of_text|>\n' }}"
        + _ASK + "{{ '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}",
        "".join(
            f"<|start_of_role|>{role}<|end_of_role|>{text}<|end_of_text|>\n"
            for role, text in (("system", "Sum."), ("user", "1+1="), ("assistant", "2"), ("user", "3+4="))
        ) + "<|start_of_role|>assistant<|end_of_role|>", "<|end_of_text|>",
        ("<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"),
    ),
    "olmo-2": Family(  # closes every answer but the last with a line break as well
        "{{ bos_token }}" + _EACH + "{% if m['role'] == 'system' %}{{ '<|system|>\n' + m['content'] + '\n' }}"
        "{% elif m['role'] == 'user' %}{{ '<|user|>\n' + m['content'] + '\n' }}{% else %}"
        "{{ '<|assistant|>\n' + m['content'] + eos_token + ('' if loop.last else '\n') }}{% endif %}" + _ASK
        + "{{ '<|assistant|>\n' }}{% endif %}",
        "<s><|system|>\nSum.\n<|user|>\n1+1=\n<|assistant|>\n2</s>\n<|user|>\n3+4=\n<|assistant|>\n", "</s>",
    ),
    "harmony": Family(  # an answer has a channel; the last one is closed in another way than earlier ones
        _SPLIT + "{{ '<|start|>system<|message|>Current date: ' + strftime_now('%Y-%m-%d') + '<|end|>' }}"
        "{{ '<|start|>developer<|message|># Instructions\n\n' + system + '<|end|>' }}{% for m in rest %}"
        "{% if m['role'] == 'user' %}{{ '<|start|>user<|message|>' + m['content'] + '<|end|>' }}{% else %}"
        "{{ '<|start|>assistant<|channel|>final<|message|>' + m['content'] }}"
        "{{ '<|return|>' if loop.last else '<|end|>' }}{% endif %}" + _ASK + "{{ '<|start|>assistant' }}{% endif %}",
        "<|start|>system<|message|>Current date: 2026-01-01<|end|><|start|>developer<|message|># Instructions\n\nSum."
        "<|end|><|start|>user<|message|>1+1=<|end|><|start|>assistant<|channel|>final<|message|>2<|end|><|start|>user"
        "<|message|>3+4=<|end|><|start|>assistant<|channel|>final<|message|>", "<|return|>",
        ("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|return|>"),
    ),
    "falcon": Family(  # no token of its own closes anything
        _EACH + "{% if not loop.first %}{{ '\n\n' }}{% endif %}{% if m['role'] == 'system' %}{{ m['content'] }}"
        "{% elif m['role'] == 'user' %}{{ 'User: ' + m['content'] }}"
        "{% else %}{{ 'Falcon: ' + m['content'] }}{% endif %}"
        + _ASK + "{{ '\n\nFalcon:' }}{% endif %}",
        "Sum.\n\nUser: 1+1=\n\nFalcon: 2\n\nUser: 3+4=\n\nFalcon:", "</s>", gap=" ",
    ),
    "alpaca": Family(  # the template echoes what it is not told of, and there is one form of prompt
        "{{ bos_token }}" + _EACH + "{% if m['role'] == 'assistant' %}"
        "{{ '### Response:\n' + m['content'] + eos_token + '\n\n' }}"
        "{% else %}{{ '### Instruction:\n' + m['content'] + '\n\n' }}{% endif %}" + _ASK
        + "{{ '### Response:\n' }}{% endif %}",
        "<s>### Instruction:\nSum.\n\n1+1=\n\n### Response:\n2</s>\n\n### Instruction:\n3+4=\n\n### Response:\n",
        "</s>",
    ),
    "smolvlm": Family(  # wants content as a list of parts
        "<|im_start|>" + _EACH + "{{ m['role'] | capitalize + ':' }}{% for part in m['content'] %}"
        "{% if part['type'] == 'text' %}{{ ' ' + part['text'] }}{% else %}{{ '<image>' }}{% endif %}{% endfor %}"
        "{{ '<end_of_utterance>\n' }}" + _ASK + "{{ 'Assistant:' }}{% endif %}",
        "<|im_start|>User: Sum.\n\n1+1=<end_of_utterance>\nAssistant: 2<end_of_utterance>\nUser: 3+4="
        "<end_of_utterance>\nAssistant:", "<end_of_utterance>", ("<|im_start|>", "<end_of_utterance>"), gap=" ",
    ),
    "glm-4.5": Family(  # tells the model in the user's turn not to think
        "{{ '[gMASK]<sop>' }}" + _EACH + "{% if m['role'] == 'system' %}{{ '<|system|>\n' + m['content'] }}"
        "{% elif m['role'] == 'user' %}{{ '<|user|>\n' + m['content'] }}"
        "{{ '/nothink' if enable_thinking is false else '' }}"
        "{% else %}{{ '<|assistant|>\n<think></think>\n' + m['content'] }}{% endif %}" + _ASK
        + "{{ '<|assistant|>' + ('\n<think></think>' if enable_thinking is false else '') }}{% endif %}",
        "[gMASK]<sop><|system|>\nSum.<|user|>\n1+1=/nothink<|assistant|>\n<think></think>\n2<|user|>\n3+4=/nothink"
        "<|assistant|>\n<think></think>\n", "</s>", ("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>"),
    ),
    "exaone": Family(
        _EACH + "{% if loop.first and m['role'] != 'system' %}{{ '[|system|][|endofturn|]\n' }}{% endif %}"
        "{{ '[|' + m['role'] + '|]' + m['content'] }}{{ '\n' if m['role'] == 'user' else '[|endofturn|]\n' }}"
        + _ASK + "{{ '[|assistant|]' }}{% endif %}",
        "[|system|]Sum.[|endofturn|]\n[|user|]1+1=\n[|assistant|]2[|endofturn|]\n[|user|]3+4=\n[|assistant|]",
        "[|endofturn|]", ("[|system|]", "[|user|]", "[|assistant|]", "[|endofturn|]"),
    ),
}  # fmt: skip
