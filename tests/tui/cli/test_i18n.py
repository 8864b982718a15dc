"""The commands in Chinese: help, errors and tables; JSON stays English."""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from rich.cells import cell_len

from core.models.folder import ModelFolder
from store import i18n
from store.i18n import set_language
from store.lock import WriterLock
from tui.__main__ import main
from tui.cli.i18n import wrapped
from tui.text_format import padded

Tutee = Callable[..., tuple[str, str]]


@pytest.fixture
def tutee(
    tmp_path: Path,
    tiny_folder: ModelFolder,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Tutee]:
    """Run one command line in a Chinese environment and return its stdout and stderr."""
    handlers = list(logging.getLogger().handlers)
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    monkeypatch.setenv("COLUMNS", "80")

    def run(*args: str) -> tuple[str, str]:
        folders = ["--home", str(tmp_path / "home"), "--model", str(tiny_folder.path)]
        monkeypatch.setattr(sys, "argv", ["tutee", *folders, *args])
        with pytest.raises(SystemExit):
            main()
        return capfd.readouterr()

    yield run
    set_language("en")
    for handler in [h for h in logging.getLogger().handlers if h not in handlers]:
        logging.getLogger().removeHandler(handler)
        handler.close()


def test_help_is_chinese_and_fits_the_terminal(tutee: Tutee) -> None:
    out, _ = tutee("--help")
    assert "在终端里聊天，模型会向你学习。" in out
    assert "命令：" in out
    assert "从反馈中学习" in out
    assert max(map(cell_len, out.splitlines())) <= 80
    rows = out.partition("命令：\n")[2].splitlines()
    assert {cell_len(row[: row.index(row.split()[1])]) for row in rows} == {14}


def test_every_command_has_chinese_help(tutee: Tutee) -> None:
    from tui.cli.root import cli

    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        out, _ = tutee(name, "--help")
        assert not _english(out), name
        # Choices stand in one piece, in every language.
        assert max(cell_len(line) for line in out.splitlines() if "|" not in line) <= 80
        for below in getattr(command, "commands", {}):
            out, _ = tutee(name, below, "--help")
            assert not _english(out), (name, below)


def _english(help_: str) -> list[str]:
    """Return the lines that end like English sentences, except the usage line."""
    return [line for line in help_.splitlines()[1:] if line.endswith(".")]


def test_errors_are_chinese(tutee: Tutee) -> None:
    assert tutee("show", "nowhere")[1] == "tutee: 没有记录 nowhere。\n"
    assert "没有可回退的版本：base 就是第一个。" in tutee("adapters", "rollback")[1]
    assert "还没有可训练的内容。" in tutee("train")[1]


def test_wrong_settings_are_told_in_chinese(tutee: Tutee, tmp_path: Path) -> None:
    settings = tmp_path / "home" / "config.toml"
    settings.parent.mkdir()
    settings.write_text("[tuning]\nepochs = 0\n")
    assert "设置 `tuning.epochs` 有问题：应不小于 1。请修改那一行" in tutee("ask", "Hi")[1]
    settings.write_text("[tuning]\nepoch = 1\n")
    assert "设置 `tuning.epoch` 有问题：没有这一项设置。" in tutee("ask", "Hi")[1]
    settings.write_text("[tuning\n")
    assert "中的设置不是有效的 TOML：" in tutee("ask", "Hi")[1]


def test_a_home_in_use_and_a_damaged_one_are_told_in_chinese(tutee: Tutee, tmp_path: Path) -> None:
    home = tmp_path / "home"
    tutee("import", "--starter")
    lock = WriterLock(home / "lock", 4242)
    try:
        assert (
            f"另一个 Tutee（进程 4242）正在使用 {home}。请先关闭它"
            in tutee("import", "--starter")[1]
        )
    finally:
        lock.release()
    segment = next((home / "records" / "imports").glob("*.json"))
    segment.write_text("{")
    out, err = tutee("import", "--starter")
    assert f"tutee: {segment} 已损坏（" in err
    assert "也没有更早的状态可用。损坏的文件保存为" in err or "时的状态。损坏的文件保存为" in err
    assert "已收入" in out


def test_usage_errors_of_click_stay_english_and_ours_are_chinese(tutee: Tutee) -> None:
    assert "No such command 'trian'. Did you mean 'train'?" in tutee("trian")[1]
    assert "No such option '--nothing'" in tutee("stats", "--nothing")[1]
    assert "--continue 与 --resume 只能给一个。" in tutee("--continue", "--resume", "x")[1]


def test_tables_are_aligned_by_cells(tutee: Tutee) -> None:
    out, _ = tutee("doctor", "--no-speed")
    names = [line[:14] for line in out.splitlines()]
    assert any("处理器" in name for name in names)
    for line in out.splitlines():
        name = line.split("  ")[0]
        assert line.startswith(padded(name, 14) + " "), line


def test_json_is_english_in_every_language(tutee: Tutee) -> None:
    out, _ = tutee("stats", "--json")
    assert json.loads(out)["gaps"] == ["Nothing has been taught yet: rate a reply, or correct one."]
    out, _ = tutee("doctor", "--no-speed", "--json")
    assert "processor" in json.loads(out)
    assert out.isascii()
    assert i18n.current_language() == "zh"


def test_the_settings_choose_the_language(tutee: Tutee, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text('[screen]\nlanguage = "en"\n')
    assert tutee("show", "nowhere")[1] == "tutee: There is no record nowhere.\n"


def test_an_import_tells_in_chinese_what_it_took(tutee: Tutee, tmp_path: Path) -> None:
    rows = [{"prompt": "Hi", "completion": "Hello."}, {"prompt": "", "completion": "?"}]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    out, _ = tutee("import", str(file))
    assert "trl，2 行" in out
    assert "已收入 1 条记录：1 条指令" in out
    assert "用户消息为空" in out
    out, _ = tutee("records")
    assert "指令" in out
    assert "还没有" not in tutee("check")[0]


def test_lines_break_between_characters_and_before_no_comma() -> None:
    lines = wrapped("从反馈中学习，之后用新的 adapter 作答。", 12)
    assert "".join(lines).replace(" ", "") == "从反馈中学习，之后用新的adapter作答。"
    assert all(cell_len(line) <= 12 for line in lines)
    assert not any(line.startswith("，") for line in lines)
    assert wrapped('one {"a": […]} more', 11) == ['one {"a":', "[…]} more"]
