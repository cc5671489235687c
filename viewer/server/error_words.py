"""What goes wrong, in Chinese: every sentence that a person may meet on the server's pages. The English one is its key, with {} for what changes.

Sentences that the analysis wrote, and what a program alone can meet (a malformed request), stay English.
"""

from __future__ import annotations

import re
from functools import lru_cache

from viewer.server.words import WORDS

CHINESE = {
    # the gate and the server
    "Log in first": "请先登录",
    "Choose a password first": "请先设置密码",
    "This request does not come from this server's own page": "此请求并非来自本服务器页面",
    "This request does not come from this server's own page, or the page is older than your login; load it again": (
        "此请求并非来自本服务器页面,或页面早于您的登录;请重新加载页面"
    ),
    "This request is larger than the server takes": "请求超出服务器允许的大小",
    "The database of the server does not answer. Try again in a minute": "服务器数据库无响应,请一分钟后重试",
    "The server could not do this. Tell the administrator the number {}; the reason stands under it in the server's log": (
        "服务器未能完成此操作。请将编号 {} 告知管理员,原因记录在服务器日志的该编号下"
    ),
    "There is nothing at this address": "此地址没有内容",
    "This address takes no such request": "此地址不接受该请求",
    "Your account may not do this ({})": "您的账户无权执行此操作({})",
    # studies
    "There is no such study": "没有此检查",
    "there is no such study here": "此处没有该检查",
    "This study has not been analysed yet": "此检查尚未分析",
    "This could not be done with this study; the reason stands in the server's log under the number {}": (
        "无法对此检查执行该操作,原因记录在服务器日志的编号 {} 下"
    ),
    "Studies are not deleted here": "此处不删除检查",
    "This study has no such object": "此检查没有该对象",
    "This study has no such file yet": "此检查尚无该文件",
    "page begins with 1, size is 1 to 200, text has at most 100 characters": "page 从 1 开始,size 为 1 至 200,text 最多 100 个字符",
    "this case was analysed outside this server": "此病例并非由本服务器分析",
    "the study is {}; only one that is received, waiting or running can be cancelled": "检查状态为“{}”;仅可取消接收中、等待或分析中的检查",
    "the study is {}; it will be analysed without another order": "检查状态为“{}”;无需再次下达即会分析",
    "an addendum needs its text": "补充需要填写内容",
    # the worklist's own lines
    "This case is damaged; the reason stands in the server's log": "此病例已损坏,原因见服务器日志",
    "no CT images came with this study": "此检查没有 CT 图像",
    "late images came; the study is analysed again": "收到迟到的图像,检查重新分析",
    "the analysis was stopped after {} minutes (analysis.limit_minutes)": "分析在 {} 分钟后被中止(analysis.limit_minutes)",
    "the analysis needs more memory than analysis.memory_mb allows ({} MB)": "分析所需内存超出 analysis.memory_mb 的限制({} MB)",
    "the analysis was ended by signal {}, after: {}": "分析被信号 {} 终止,此前:{}",
    "the analysis was ended by signal {}": "分析被信号 {} 终止",
    "the analysis ended with code {} and said nothing": "分析以代码 {} 结束,无说明",
    "the analysis could not be started ({})": "分析无法启动({})",
    "the signed report is not sent yet: {}": "已签署的报告尚未发送:{}",
    "no DICOM results: {}": "没有 DICOM 结果:{}",
    "the disk is full; it is tried again; the last one: {}": "磁盘已满,将重试;上一次:{}",
    "try {} of {} follows; the last one: {}": "将进行第 {} 次尝试(共 {} 次);上一次:{}",
    # uploads
    "The server's disk is too full for this upload": "服务器磁盘空间不足,无法接收此次上传",
    "The server could not store this upload; its disk may be full": "服务器未能保存此次上传,磁盘可能已满",
    "An upload is a form with the field files: one zip archive, or DICOM files": "上传须为含 files 字段的表单:一个 zip 压缩包,或 DICOM 文件",
    "An upload holds at most {} files": "一次上传最多 {} 个文件",
    "This upload holds more than the server takes": "此次上传超出服务器允许的大小",
    "This archive holds more than the server takes": "此压缩包超出服务器允许的大小",
    "This archive is protected by a password; upload one without": "此压缩包有密码保护,请上传无密码的压缩包",
    "A file of this archive swells more than any image does; it is not taken": "压缩包中有文件的膨胀程度超过任何图像,未予接收",
    "A file of this archive is longer than the archive says; it is not taken": "压缩包中有文件的长度与其声明不符,未予接收",
    "This zip archive is damaged, or packed in a way that the server does not know": "此 zip 压缩包已损坏,或其压缩方式服务器不支持",
    "this upload holds no DICOM image that can be taken in ({})": "此次上传没有可接收的 DICOM 图像({})",
    "it is empty": "内容为空",
    "this is no DICOM file, or it is damaged ({})": "不是 DICOM 文件,或文件已损坏({})",
    "the file's study, series or SOP instance UID is missing or not a UID": "文件缺少检查、序列或 SOP 实例 UID,或其不是有效 UID",
    "objects of the class {} are not kept here: CT images, and reports and segmentations of CT, are": (
        "此处不保存类别为 {} 的对象,仅保存 CT 图像及 CT 的报告与分割"
    ),
    "the pixel data are cut off": "像素数据不完整",
    "the instance has {} MB; intake.largest_mb allows {}": "该实例为 {} MB;intake.largest_mb 允许 {}",
    "an instance with this UID and other content is here already; it is kept": "此处已有相同 UID 而内容不同的实例,予以保留",
    "an instance with this UID is here already, in another study or series; it is kept": "相同 UID 的实例已存在于另一检查或序列,予以保留",
    "the data folder's disk has {} MB free; intake.keep_free_mb asks for {}": "数据目录所在磁盘剩余 {} MB;intake.keep_free_mb 要求 {}",
    "the data folder cannot be used ({})": "数据目录不可用({})",
    "an instance could not be written ({})": "实例无法写入({})",
    "nothing is analysed on this server: start it with --config and a server.toml that names listen.callers or intake.watched_folder": (
        "本服务器不进行分析:请以 --config 启动,并在 server.toml 中设置 listen.callers 或 intake.watched_folder"
    ),
    # viewers
    "{} cases are open on this server, and no more fit; close one, or try again in some minutes": (
        "本服务器已打开 {} 个病例,无法再打开;请关闭一个,或几分钟后重试"
    ),
    "the viewer did not begin in time; the server is busy, try again": "阅片程序未能及时启动,服务器繁忙,请重试",
    "the viewer could not open this case; the reason stands in the server's log": "阅片程序无法打开此病例,原因见服务器日志",
    "This viewer is not open for you; log in and open the case from the worklist": "此阅片窗口并非为您打开;请登录后从工作列表打开病例",
    # people
    "Name or password is wrong, or the account is locked": "账户或密码错误,或账户已锁定",
    "Too many failed tries; wait {} minutes, or ask an administrator to unlock the account": "失败次数过多;请等待 {} 分钟,或请管理员解锁账户",
    "The password that you have now is not right": "当前密码不正确",
    "a password has {} to 256 characters; a sentence of four or five words is good": "密码须为 {} 至 256 个字符,建议使用由四五个词组成的句子",
    "this password repeats too few characters; take at least six different ones": "密码所用字符过于重复,请至少使用六个不同的字符",
    "this password holds the account's name or one of the most common passwords; choose another": "密码包含账户名或最常见的密码,请另选",
    "this is the password that you have now; choose another": "这是您当前的密码,请另选",
    "an account has one or more of the roles {}; there is no {}": "账户须有一个或多个角色({});没有角色 {}",
    "an account has one or more of the roles {}": "账户须有一个或多个角色({})",
    "an account's name has 2 to 32 small letters, digits, dots, dashes or underscores and begins with a letter or digit": (
        "账户名为 2 至 32 个小写字母、数字、点、短横或下划线,以字母或数字开头"
    ),
    "the person's name has 2 to 100 printable characters; it stands beside corrections and signatures": "姓名为 2 至 100 个可打印字符,将显示在修改和签名旁",
    "there is already an account {}": "账户 {} 已存在",
    "{} is the last admin that can log in; make another one first": "{} 是最后一个可登录的管理员,请先添加另一个",
    "there is no such account; `ccta user list` names them all": "没有此账户;`ccta user list` 列出所有账户",
    "limit is 1 to 1000, before the number of an entry": "limit 为 1 至 1000,before 为条目编号",
}
"""English, as it is raised, without the full stop -> Chinese."""
SHORT = {key.removeprefix(kind): texts[1] for kind in ("status_", "role_") for key, texts in WORDS.items() if key.startswith(kind)} | {
    "view": "查看", "open": "打开", "sign": "签署", "upload": "上传", "jobs": "任务", "users": "用户", "audit": "审计",
}  # fmt: skip
"""Words that sentences name: states of a study, roles, rights."""


def in_chinese(text: str) -> str:
    """A sentence in Chinese, with what it names; as it is where no translation is known."""
    bare = text.strip().rstrip(".")
    for pattern, chinese in _patterns():
        if found := pattern.fullmatch(bare):
            return chinese.format(*map(_named, found.groups())) + "。"
    return text


def _named(value: str) -> str:
    inner = in_chinese(value)
    if inner != value:
        return inner.rstrip("。")
    words = value.split(", ")
    return "、".join(SHORT[word] for word in words) if all(word in SHORT for word in words) else value


@lru_cache
def _patterns() -> list[tuple[re.Pattern, str]]:
    """The longest first, so that one which goes on like another is not taken for it; the first letter may be large."""
    ordered = sorted(CHINESE.items(), key=lambda item: -len(item[0]))
    return [(re.compile(_pattern(english), re.DOTALL), chinese) for english, chinese in ordered]


def _pattern(english: str) -> str:
    text = "(.+?)".join(map(re.escape, english.split("{}")))
    first = english[0]
    return text if not first.isalpha() else f"[{first.lower()}{first.upper()}]" + text[1:]
