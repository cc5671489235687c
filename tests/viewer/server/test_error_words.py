"""Errors in Chinese: every sentence that the server's modules raise for a person has its translation, and the pages answer in the reader's language."""

import ast
import re
from pathlib import Path

import pytest

from tests.viewer.server.web_app import Asked, made_server, signed_in, write_cases
from viewer.server import error_words
from viewer.server.case_folder import DAMAGED
from viewer.server.error_words import CHINESE, in_chinese

SERVER = Path(error_words.__file__).parent
MODULES = ("api_studies", "api_people", "services", "uploads", "security", "web_work", "orders", "sessions", "accounts", "headers", "intake", "case_folder")
RAISED = {"HTTPException": 1, "sentence": 1, "BadInput": 0, "NotOpened": 0, "Refused": 0, "ForeignObject": 0, "OtherContent": 0, "TooLarge": 0, "OutOfRoom": 0}
"""What raises or answers a sentence, and which of its arguments the sentence is."""
HAN = re.compile("[\u4e00-\u9fff]")


def sentences(module: str) -> list[str]:
    """Every sentence that a module raises, 7 in the place of what changes."""
    found = [DAMAGED] if module == "case_folder" else []
    for call in (node for node in ast.walk(ast.parse((SERVER / f"{module}.py").read_text())) if isinstance(node, ast.Call)):
        name = getattr(call.func, "id", "")
        text = call.args[RAISED[name]] if name in RAISED and len(call.args) > RAISED[name] else None
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            found.append(text.value)
        elif isinstance(text, ast.JoinedStr):
            found.append("".join(part.value if isinstance(part, ast.Constant) else "7" for part in text.values))
    return found


@pytest.mark.parametrize("module", MODULES)
def test_every_sentence_has_its_translation(module):
    said = sentences(module)
    assert said and all(HAN.search(in_chinese(text)) and in_chinese(text).endswith("。") for text in said), [x for x in said if in_chinese(x) == x]


def test_what_a_sentence_names_is_kept_or_translated():
    assert in_chinese("The study is running; it will be analysed without another order.") == "检查状态为“分析中”;无需再次下达即会分析。"
    assert in_chinese("Your account may not do this (jobs).") == "您的账户无权执行此操作(任务)。"
    assert in_chinese("There is already an account {0.x} anna.") == "账户 {0.x} anna 已存在。"
    two = in_chinese("An account has one or more of the roles reader, operator, admin; there is no king.")
    assert two == "账户须有一个或多个角色(阅片、操作、管理);没有角色 king。"
    inner = in_chinese("This upload holds no DICOM image that can be taken in (this is no DICOM file, or it is damaged (EOFError)).")
    assert inner == "此次上传没有可接收的 DICOM 图像(不是 DICOM 文件,或文件已损坏(EOFError))。"
    assert in_chinese("no DICOM results: the disk, of all things, is full") == "没有 DICOM 结果:the disk, of all things, is full。"
    assert in_chinese("lumen area must be positive") == "lumen area must be positive"
    assert all(english.count("{}") == chinese.count("{}") and not english.endswith(".") for english, chinese in CHINESE.items())


def test_the_pages_errors_are_in_the_readers_language(tmp_path):
    write_cases(tmp_path / "cases")
    server = made_server(tmp_path / "data", tmp_path / "cases", Asked())
    anna, otto = signed_in(server, "anna"), signed_in(server, "otto")
    (study,) = anna.get("/api/studies", params={"text": "jane"}).json()["studies"]
    address, chinese = f"/api/studies/{study['id']}", {"Accept-Language": "zh-CN,zh;q=0.9"}
    assert anna.post(f"{address}/retry").json() == {"error": "Your account may not do this (jobs)."}
    answer = anna.post(f"{address}/retry", headers=chinese)
    assert answer.status_code == 403 and answer.json() == {"error": "您的账户无权执行此操作(任务)。"}
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert otto.post("/api/studies", content=b"x", headers=chinese).json()["error"].startswith("上传须为")
    assert anna.get("/api/studies/999", headers=chinese).json() == {"error": "没有此检查。"}
    assert anna.post("/api/logout", headers={**chinese, "X-CSRF-Token": "x"}).json()["error"].startswith("此请求并非来自")
    assert anna.get("/nothing", headers=chinese).json()["error"] == "此地址没有内容。"
    anna.cookies.set("ccta_language", "zh")
    assert anna.get("/api/studies/999").json() == {"error": "没有此检查。"}
    assert "此病例已损坏,原因见服务器日志。" in anna.get("/rows").text and "This case is damaged" in anna.get("/rows?language=en").text
    assert anna.get("/api/studies/999?language=en").json() == {"error": "There is no such study."}
