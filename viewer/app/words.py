"""Every word of the reading page in English and Chinese. Sentences that the stages wrote into a case (reasons, assumptions) stay as they were written."""

from __future__ import annotations

from ccta.errors import BadInput
from viewer.app.tool_words import TOOL_WORDS

LANGUAGES = ("en", "zh")

WORDS = {
    **TOOL_WORDS,
    # views
    "axial": ("axial", "横断面"),
    "coronal": ("coronal", "冠状面"),
    "sagittal": ("sagittal", "矢状面"),
    "tree_by": ("coronary tree; drag turns, click chooses", "冠状动脉树;拖动旋转,点击定位"),
    "straightened": ("straightened vessel, origin left; drag up or down turns it", "拉直血管,起始端在左;上下拖动旋转"),
    "cross": ("cross-section", "横截面"),
    "stack": ("cross-sections along the vessel", "沿血管的横截面"),
    "mld": ("MLD", "MLD"),
    "no_cross": ("no cross-section", "无横截面"),
    "no_vessel": ("no vessel to show", "无可显示的血管"),
    "no_curve": ("no pullback curve without a vessel", "无血管,无回撤曲线"),
    "lumen_line": ("lumen Ø mm", "管腔直径 mm"),
    "reference_line": ("reference", "参考直径"),
    "ffr_line": ("FFR, grey zone 0.75–0.80", "FFR,灰区 0.75–0.80"),
    "stented_line": ("with stents", "支架后"),
    "stenosis_mark": ("stenosis", "狭窄"),
    "grey_zone": ("grey zone", "灰区"),
    # choices
    "window": ("window", "窗"),
    "cta": ("CTA", "CTA"),
    "calcium": ("calcium", "钙化"),
    "soft": ("soft tissue", "软组织"),
    "lung": ("lung", "肺"),
    "bone": ("bone", "骨"),
    "whole": ("whole image", "全图"),
    "tree": ("tree", "血管树"),
    "FFR": ("FFR", "FFR"),
    "diameter": ("diameter", "直径"),
    "stenosis": ("stenosis", "狭窄"),
    "vessel": ("vessel", "血管"),
    "segment_here": ("segment here", "此处节段"),
    "unnamed": ("unnamed", "未命名"),
    "reader": ("reader", "阅片者"),
    "reader_hint": ("your name, written beside each correction", "您的姓名,记录于每次修改"),
    "report": ("Report", "报告"),
    "help": ("Help", "帮助"),
    "research": ("Research use only, not for diagnosis", "仅供研究,不用于诊断"),
    # facts
    "cad_rads": ("CAD-RADS", "CAD-RADS"),
    "agatston": ("Agatston score", "Agatston 积分"),
    "plaque_volume": ("Plaque volume", "斑块体积"),
    "lowest_ffr": ("Lowest FFR-CT", "最低 FFR-CT"),
    "no_vessel_read": ("no vessel could be read", "无血管可测"),
    "image": ("Image", "图像"),
    "flow": ("FFR-CT", "FFR-CT"),
    "years": ("y", "岁"),
    # table
    "segment": ("segment", "节段"),
    "degree": ("stenosis, length", "狭窄、长度"),
    "mld_ref": ("MLD / ref.", "最小/参考直径"),
    "plaque": ("plaque", "斑块"),
    "plaque_mixed": ("mixed", "混合"),
    "plaque_calcified": ("calcified", "钙化"),
    "plaque_non-calcified": ("non-calcified", "非钙化"),
    "no_stenosis": ("No stenosis was found.", "未发现狭窄。"),
    "stenoses": ("Stenoses", "狭窄"),
    "coronary_tree": ("Coronary tree", "冠状动脉树"),
    "no_surface": ("The lumen surface was not made.", "未生成管腔表面。"),
    # stents
    "stent": ("stent", "支架"),
    "plan_over": ("plan a stent over this lesion", "在此病变处计划支架"),
    "plan_hint": ("stent: mLAD:38-52:3.0, empty clears", "支架:mLAD:38-52:3.0,留空清除"),
    "plan_title": ("segment, from-to in mm along the vessel, diameter in mm", "节段:起止位置 mm:直径 mm"),
    # editing
    "lumen": ("lumen", "管腔"),
    "wall": ("wall", "外壁"),
    "correct_lumen": ("correct the lumen contour: pull its points", "修改管腔轮廓:拖动控制点"),
    "correct_wall": ("correct the wall contour: pull its points", "修改外壁轮廓:拖动控制点"),
    "keep": ("keep", "保存"),
    "discard": ("discard", "放弃"),
    "undo": ("undo", "撤销"),
    "redo": ("redo", "重做"),
    "add_lesion": ("+ stenosis here", "+ 此处狭窄"),
    "delete_lesion": ("delete", "删除"),
    "regrade": ("regrade", "改分级"),
    "percent": ("%", "%"),
    "move_point": ("move centerline", "移动中心线"),
    "hint_point": ("click in a slice where the centerline shall run", "点击切面,指定中心线经过的位置"),
    "corrections": ("Corrections by hand", "手工修改"),
    "state_applied": ("applied", "有效"),
    "state_undone": ("undone", "已撤销"),
    "state_replaced": ("replaced", "已被取代"),
    "kind_contour_lumen": ("lumen contour", "管腔轮廓"),
    "kind_contour_wall": ("wall contour", "外壁轮廓"),
    "kind_name": ("segment name", "节段名称"),
    "kind_point": ("centerline point", "中心线点"),
    "kind_lesion_added": ("stenosis added", "新增狭窄"),
    "kind_lesion_deleted": ("stenosis deleted", "删除狭窄"),
    "kind_lesion_regraded": ("stenosis regraded", "狭窄改分级"),
    # recomputing
    "preview": (
        "Stenoses and FFR follow the corrections by the reduced model; plaque, surface and report are being computed.",
        "狭窄和 FFR 已按修改由降阶模型更新;斑块、表面和报告正在计算。",
    ),
    "computing": ("computing", "计算中"),
    "cancel": ("cancel", "取消"),
    "recompute": ("compute now", "立即计算"),
    "stale": ("Plaque, surface and report are older than the corrections.", "斑块、表面和报告早于修改。"),
    "done": ("Report and case follow the corrections.", "报告和病例已按修改更新。"),
    "job_failed": ("The computation did not end well; see the terminal for the reason.", "计算未成功;原因见终端。"),
    # keys
    "keys": ("Keys and mouse", "键盘与鼠标"),
    "key_windows": ("window: CTA, calcium, soft tissue, lung, bone", "窗:CTA、钙化、软组织、肺、骨"),
    "key_along": ("along the vessel by one plane; with Shift by ten", "沿血管移动一个层面;按 Shift 移动十个"),
    "key_lesions": ("next or last stenosis", "下一个或上一个狭窄"),
    "key_tightest": ("to the minimal lumen", "到最小管腔处"),
    "key_turn": ("turn the straightened vessel", "旋转拉直血管"),
    "key_lumen": ("correct the lumen contour", "修改管腔轮廓"),
    "key_wall": ("correct the wall contour", "修改外壁轮廓"),
    "key_keep": ("keep what was drawn", "保存所画内容"),
    "key_escape": ("leave drawing and measuring", "退出绘制与测量"),
    "key_undo": ("undo; with Shift redo", "撤销;按 Shift 重做"),
    "key_point": ("move the centerline", "移动中心线"),
    "key_language": ("English, Chinese", "英文、中文"),
    "key_help": ("this sheet", "本页"),
    "mouse_left": ("left button in a slice", "切面左键"),
    "mouse_left_does": ("cross-hair; the vessel beside it is followed", "十字线;跟随附近血管"),
    "mouse_right": ("right button in a slice", "切面右键"),
    "mouse_right_does": ("window: across width, down level", "窗:横向窗宽,纵向窗位"),
    "mouse_wheel": ("wheel", "滚轮"),
    "mouse_wheel_does": ("slices, or cross-sections along the vessel", "切换切面,或沿血管切换横截面"),
    "mouse_over": ("pointer over curve or vessel", "指针在曲线或血管上"),
    "mouse_over_does": ("the cross-section follows", "横截面跟随"),
    # troubles
    "not_shown": ("This could not be shown; see the terminal for the reason.", "无法显示;原因见终端。"),
    "no_contour_here": ("no contour was traced here, so that nothing can be corrected or measured", "此处没有轮廓,无法修改或测量"),
    "choose_contour": ("choose lumen or wall before drawing", "请先选择管腔或外壁"),
    "nothing_drawn": ("nothing was drawn yet; pull a point of the contour first", "尚未修改;请先拖动轮廓上的控制点"),
    "other_name": ("choose another name than the segment has", "请选择与当前不同的节段名称"),
    "point_too_far": (
        "the centerline is moved within 11 mm of the place shown; go there first, then choose where it shall run",
        "中心线只能在当前位置 11 mm 内移动;请先定位,再指定其位置",
    ),
    "choose_stenosis": ("choose a stenosis in the table first", "请先在表中选择狭窄"),
    "bad_degree": ("a degree is a number from 0 to 100 percent, got {text}", "狭窄程度应为 0 至 100 的百分数,输入为 {text}"),
    "needs_name": ("an edit needs the name of who makes it; write it at the top of the page", "修改需注明姓名;请在页面上方填写"),
    "nothing_to_undo": ("there is nothing to undo", "没有可撤销的修改"),
    "nothing_to_redo": ("there is nothing to redo", "没有可重做的修改"),
    "idle": ("This session was closed because nobody used it. Start it again with the command that opened it.", "长时间未使用,会话已关闭。请重新启动。"),
}
"""key -> (English, Chinese)."""


class NotPossible(BadInput):
    """What the reader asked for cannot be done; the reason is a word of the page. As text it is English."""

    def __init__(self, key: str, **values):
        super().__init__(WORDS[key][0].format(**values))
        self.key, self.values = key, values

    def said(self, say: dict[str, str]) -> str:
        """The reason in the page's language."""
        return say[self.key].format(**self.values)


def said(language: str) -> dict[str, str]:
    """key -> text in one language; English for a language that does not exist."""
    column = LANGUAGES.index(language) if language in LANGUAGES else 0
    return {key: texts[column] for key, texts in WORDS.items()}
