"""Words of the reading tools in English and Chinese, part of `viewer.app.words.WORDS`."""

TOOL_WORDS = {
    # measuring
    "tool_length": ("length", "长度"),
    "tool_angle": ("angle", "角度"),
    "tool_polygon": ("area", "面积"),
    "tool_ellipse": ("ellipse", "椭圆"),
    "tool_drop": ("ΔFFR", "ΔFFR"),
    "tool_brush": ("brush", "画笔"),
    "hint_length": ("drag from one end to the other", "从一端拖动到另一端"),
    "hint_angle": ("click three places; the angle is at the second", "点击三点,角度位于第二点"),
    "hint_polygon": ("click around the area; at the first place, by double click or Enter it closes", "沿区域边缘点击;点击起点、双击或按 Enter 闭合"),
    "hint_ellipse": ("drag a box around the area", "拖动方框包围区域"),
    "hint_drop": ("click two places on one vessel, or on a vessel and its branch", "在同一血管或血管与其分支上点击两处"),
    "hint_brush": ("push the contour with the circle, from inside or outside", "用圆形从内侧或外侧推动轮廓"),
    "measurements": ("Measurements", "测量"),
    "no_measurements": ("Nothing was measured yet.", "尚无测量。"),
    "delete_measure": ("delete this measurement", "删除此测量"),
    "straightened_short": ("straightened vessel", "拉直血管"),
    "not_measured_here": ("nothing can be measured here", "此处无法测量"),
    "only_lengths_here": (
        "the straightened vessel is bent true to length only; measure angles and areas in a slice or a cross-section",
        "拉直血管仅长度真实;请在切面或横截面上测量角度和面积",
    ),
    "too_small": ("this is too small to be measured", "过小,无法测量"),
    "crosses_itself": ("the outline crosses itself, so that it holds no area; draw it again", "轮廓自相交,无面积;请重新绘制"),
    "three_corners": ("an area needs three corners or more", "面积至少需要三个角点"),
    # calcium
    "tab_calcium": ("Calcium", "钙化"),
    "not_coronary": ("not coronary", "非冠状动脉"),
    "no_calcium": ("calcium was not scored", "未进行钙化积分"),
    "nothing_changed": ("it counts as that already", "已是该归属"),
    "counts_as": ("counts as", "归属"),
    "peak": ("peak", "峰值"),
    "volume": ("volume", "体积"),
    "reject": ("not coronary", "非冠状动脉"),
    "accept": ("coronary after all", "确认为冠状动脉"),
    "kind_calcium": ("calcium", "钙化"),
    # view
    "reset_title": (
        "back to how the case opens; measurements stay. Your view is kept in the case by itself.",
        "恢复打开时的视图,保留测量;视图自动保存于病例中。",
    ),
    "key_reset": ("reset the view", "重置视图"),
    # brush
    "brush_title": ("push the contour with a circle; wheel changes its size", "用圆形推动轮廓;滚轮改变大小"),
    "key_brush": ("brush for the contour; wheel: its size", "轮廓画笔;滚轮:大小"),
    # FFR drop
    "not_one_way": (
        "no blood runs from one place to the other; choose both on one vessel, or on a vessel and its branch",
        "两处之间没有血流通路;请在同一血管或血管与其分支上选择",
    ),
    "no_flow_here": ("FFR was not solved here", "此处没有 FFR"),
    "drop_from": ("first place chosen; choose the second", "已选第一处;请选择第二处"),
    # keys
    "key_measure": ("length, angle, area, ellipse", "长度、角度、面积、椭圆"),
    "key_drop": ("FFR drop between two places", "两处之间的 FFR 下降"),
    "key_forget": ("delete the last measurement", "删除最后一个测量"),
    "tab_findings": ("Findings", "所见"),
    "tab_measures": ("Measurements", "测量"),
}
"""key -> (English, Chinese)."""
