"""Detect what a prompt asks for, by a rule that users can read, predict and change.

The rule is an ordered list of words; the first one found decides. Words are looked for where people
state their request: at the beginning and at the end of a message, not in the middle of a text they
pasted. The last message decides; if it matches nothing ("Shorter, please."), the one before it
does, and finally the system message.

Left out on purpose: a classifier model. It would be right a little more often, but nobody could say
why, or fix it in one line.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from store.i18n import N_
from store.records import ChatMessage

CODE = N_("code")
TRANSLATION = N_("translation")
SUMMARY = N_("summary")
CLASSIFICATION = N_("classification")
WRITING = N_("writing")
QUESTION = N_("question answering")
OTHER = N_("other")

TASKS = (QUESTION, SUMMARY, TRANSLATION, CLASSIFICATION, WRITING, CODE, OTHER)
"""In the order shown."""

_BEGINNING, _END = 300, 150
"""Characters that are searched."""


class Rule(NamedTuple):
    """A prompt that contains this word asks for this task."""

    task: str
    word: str
    """Matches whole words, ignoring case; `*` stands for any letters, so `summar*` also matches
    `summary`. In scripts without spaces between words it matches anywhere.
    """


Rules = tuple[Rule, ...]
"""The first match decides."""


def _rules(words: Mapping[str, Sequence[str]]) -> Rules:
    return tuple(Rule(task, word) for task, listed in words.items() for word in listed)


DEFAULT_RULES: Rules = _rules(
    {
        CODE: (
            *("```", "python", "javascript", "typescript", "java", "c++", "sql", "bash", "regex"),
            *("html", "css", "shell", "regular expression*", "source code", "code snippet", "code"),
            *("write a function", "write a program", "algorithm", "debug"),
            *("代码", "函数", "编程", "程序", "正则表达式", "算法", "命令行"),
        ),
        TRANSLATION: (
            *("translate*", "translation", "how do you say", "in french", "in german"),
            *("in spanish", "in chinese", "in japanese", "into english", "to english"),
            *("翻译", "译成", "译为", "翻成", "用英语怎么说", "用英文怎么说", "用中文怎么说"),
        ),
        SUMMARY: (
            *("summar*", "tl;dr", "key points", "main points", "main idea", "in one sentence"),
            *("condense", "shorten", "gist"),
            *("总结", "摘要", "概括", "概述", "归纳", "缩写", "要点", "主要内容", "中心思想"),
        ),
        CLASSIFICATION: (
            *("classif*", "categor*", "sentiment", "positive or negative", "spam", "true or false"),
            *("label", "which category", "identify the type", "identify whether", "detect"),
            *("is this review", "what tone", "what emotion", "sort the following"),
            *("分类", "归类", "情感", "情绪", "正面还是负面", "积极还是消极"),
            *("褒义还是贬义", "判断"),
            *("哪一类", "属于哪", "类别"),
        ),
        WRITING: (
            *("write", "compose", "draft", "rewrite", "rephrase", "paraphrase", "reword", "edit"),
            *("create", "generate", "email", "e-mail", "letter", "poem", "story", "essay"),
            *("slogan", "haiku", "tweet", "headline", "invent", "proofread", "polish"),
            *("brainstorm", "design", "make up", "come up with", "construct", "develop"),
            *("写", "邮件", "作文", "创作", "诗", "故事", "润色", "文案", "标语", "起草", "生成"),
            *("设计", "制作", "创建", "编一", "编辑", "造句", "改正", "修改", "构造"),
        ),
        QUESTION: (
            *("?", "what", "what's", "why", "how", "who", "when", "where", "which", "explain"),
            *("describe", "define", "tell me", "name", "list", "give", "compare", "find"),
            *("suggest", "recommend", "outline", "discuss", "analy*", "calculate", "identify"),
            *("provide", "state", "convert", "answer", "evaluate", "solve", "determine", "predict"),
            *("？", "什么", "怎么", "怎样", "如何", "谁", "哪", "多少", "几", "吗"),
            *("告诉我", "给我"),
            *("解释", "说明", "介绍", "描述", "列出", "列举", "给出", "定义", "比较"),
            *("分析", "计算"),
            *("提供", "推荐", "建议", "讨论", "阐述", "举例", "回答", "找出", "简述"),
            *("说出", "转换"),
            *("识别", "解决", "评估", "预测"),
        ),
    }
)


def merged(own: Mapping[str, Sequence[str]]) -> Rules:
    """Return the user's own rules, in their order, followed by the built-in ones.

    So any task can be fixed with a word of one's own, and new names create new tasks.
    """
    return (*_rules(own), *DEFAULT_RULES)


def task_of(prompt: Sequence[ChatMessage], rules: Rules = DEFAULT_RULES) -> str:
    """Return the task that a prompt (oldest message first) asks for, `other` if no rule matches."""
    questions = [message.content for message in reversed(prompt) if message.role == "user"]
    system = [message.content for message in prompt if message.role == "system"]
    for text in map(_ends, (*questions, *system)):
        for task, letters, pattern in _compiled(rules):
            # Searching for plain letters first is much faster.
            if letters in text and pattern.search(text):
                return task
    return OTHER


def _ends(text: str) -> str:
    text = text.strip().lower()
    return text if len(text) <= _BEGINNING + _END else f"{text[:_BEGINNING]}\n{text[-_END:]}"


@cache
def _compiled(rules: Rules) -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    """For each rule: its task, letters that must occur, and the pattern of the whole word."""
    words = [rule.word.lower() for rule in rules]
    return tuple(
        (rule.task, max(word.split("*"), key=len), re.compile(_pattern(word)))
        for rule, word in zip(rules, words, strict=True)
    )


def _pattern(word: str) -> str:
    """Alphabetic words end at word boundaries; everything else matches anywhere."""
    body = r"\w*".join(re.escape(part) for part in word.split("*"))
    before = r"(?<![a-z])" if word[:1].isascii() and word[:1].isalpha() else ""
    after = r"(?![a-z])" if word[-1:].isascii() and word[-1:].isalpha() else ""
    return before + body + after
