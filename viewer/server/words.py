"""Every word of the server's pages in English and Chinese. Sentences that the analysis wrote (reasons) stay as they were written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import Request

LANGUAGES = ("en", "zh")
LANGUAGE_COOKIE = "ccta_language"

WORDS = {
    "title": ("Coronary CT worklist", "冠脉 CT 工作列表"),
    "research": ("Research use only, not for diagnosis", "仅供研究,不用于诊断"),
    # login and password
    "login": ("Log in", "登录"),
    "account": ("Account", "账户"),
    "password": ("Password", "密码"),
    "login_failed": ("Name or password is wrong, or the account is locked.", "账户或密码错误,或账户已锁定。"),
    "locked_out": ("Too many failed tries. Wait a quarter of an hour, or ask an administrator.", "失败次数过多。请等待一刻钟,或联系管理员。"),
    "not_from_here": ("This request does not come from this server's own page.", "此请求并非来自本服务器页面。"),
    "log_out": ("Log out", "退出"),
    "choose_password": ("Choose a password", "设置密码"),
    "must_change": ("Your password was given to you. Choose your own before you go on.", "当前密码由他人设置,请先设置您自己的密码。"),
    "old_password": ("Password now", "当前密码"),
    "new_password": ("New password", "新密码"),
    "again": ("New password again", "再次输入新密码"),
    "differ": ("The two new passwords differ.", "两次输入的新密码不一致。"),
    "password_hint": ("At least 12 characters; a sentence of four or five words is good.", "至少 12 个字符,建议使用由四五个词组成的句子。"),
    "save": ("Save", "保存"),
    # worklist
    "worklist": ("Worklist", "工作列表"),
    "search": ("name, number, accession or description", "姓名、编号、检查号或描述"),
    "all": ("all", "全部"),
    "urgent_only": ("urgent only", "仅显示紧急"),
    "urgent": ("urgent", "紧急"),
    "sort": ("order", "排序"),
    "sort_urgent": ("urgent first", "紧急优先"),
    "sort_received": ("newest first", "最新优先"),
    "sort_patient": ("patient", "患者"),
    "sort_study_date": ("study date", "检查日期"),
    "sort_cad_rads": ("CAD-RADS", "CAD-RADS"),
    "sort_ffr": ("lowest FFR", "最低 FFR"),
    "sort_status": ("status", "状态"),
    "patient": ("Patient", "患者"),
    "study": ("Study", "检查"),
    "status": ("Status", "状态"),
    "status_received": ("receiving", "接收中"),
    "status_waiting": ("waiting", "等待"),
    "status_running": ("running", "分析中"),
    "status_done": ("done", "完成"),
    "status_failed": ("failed", "失败"),
    "status_cancelled": ("cancelled", "已取消"),
    "quality": ("Image", "图像"),
    "quality_good": ("good", "良好"),
    "cad_rads": ("CAD-RADS", "CAD-RADS"),
    "lowest_ffr": ("Lowest FFR", "最低 FFR"),
    "received": ("Received", "接收时间"),
    "open": ("Open", "打开"),
    "opening": ("opening ...", "正在打开..."),
    "report": ("Report", "报告"),
    "retry": ("Retry", "重试"),
    "cancel": ("Cancel", "取消"),
    "first": ("First", "优先"),
    "not_first": ("Not first", "取消优先"),
    "none": ("No study matches.", "没有符合条件的检查。"),
    "empty": ("No study yet. Send one by DICOM, or upload it here.", "尚无检查。请通过 DICOM 发送,或在此上传。"),
    "count": ("studies", "项检查"),
    "page": ("page", "页"),
    "upload": ("Upload a study", "上传检查"),
    "upload_hint": ("one zip archive, or DICOM files", "一个 zip 压缩包,或 DICOM 文件"),
    "uploading": ("uploading", "正在上传"),
    "uploaded": ("The study was taken in.", "检查已接收。"),
    "lost": ("The server does not answer. The list is old.", "服务器无响应,列表可能已过时。"),
    "sign": ("Sign", "签署"),
    "sign_sure": ("Yes, sign", "确认签署"),
    "signed": ("signed by", "签署:"),
    "not_analysed": ("This study has not been analysed yet.", "此检查尚未分析。"),
    "not_done": ("This study is being analysed again. Sign when it is done.", "此检查正在重新分析,完成后方可签署。"),
    "signed_already": ("The report is signed already. What comes later is an addendum, or a new draft.", "报告已签署。后续内容请写入补充,或生成新的草稿。"),
    "draft_stale": (
        "There is no report that follows from the case as it is now. Open the case and make the report again, then sign.",
        "当前没有与病例一致的报告。请打开病例重新生成报告后再签署。",
    ),
    "language": ("中文", "English"),
    # administration
    "users": ("Users", "用户"),
    "audit": ("Audit log", "审计日志"),
    "name": ("Name", "姓名"),
    "roles": ("Roles", "角色"),
    "role_reader": ("reader", "阅片"),
    "role_operator": ("operator", "操作"),
    "role_admin": ("admin", "管理"),
    "locked": ("locked", "已锁定"),
    "lock": ("Lock", "锁定"),
    "unlock": ("Unlock", "解锁"),
    "new_one_time": ("New one-time password", "重置一次性密码"),
    "one_time": ("One-time password, shown once", "一次性密码(仅显示一次)"),
    "add": ("Add", "添加"),
    "when": ("When (UTC)", "时间 (UTC)"),
    "who": ("Who", "用户"),
    "origin": ("From", "来源"),
    "action": ("What", "操作"),
    "outcome": ("Outcome", "结果"),
    "older": ("Older", "更早"),
    "chain_whole": ("The log is whole", "日志完整"),
    "chain_broken": ("The log was changed at entry", "日志在此条目处被更改"),
    "entries": ("entries", "条目"),
    "last_hash": ("last hash", "末条哈希"),
}
"""key -> (English, Chinese)."""


def said(language: str) -> dict[str, str]:
    """key -> text in one language; English for a language that does not exist."""
    column = LANGUAGES.index(language) if language in LANGUAGES else 0
    return {key: texts[column] for key, texts in WORDS.items()}


def preferred(chosen: str, accepted: str) -> str:
    """The language of a page: what was chosen, else what the browser's Accept-Language names first, else English."""
    if chosen in LANGUAGES:
        return chosen
    return "zh" if accepted.strip().lower().startswith("zh") else "en"


def language_of(request: Request) -> str:
    """The language of a request's answer: of the address, of the cookie of an earlier choice, of the browser."""
    return preferred(request.query_params.get("language") or request.cookies.get(LANGUAGE_COOKIE, ""), request.headers.get("accept-language", ""))
