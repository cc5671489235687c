"""The report's sentences in Chinese: English as it stands in the code -> Chinese with the same {fields}. A test compares both lists."""

_PAGE = {
    "Coronary CT angiography": "冠状动脉CT血管成像",
    "Addendum to the coronary CT angiography report": "冠状动脉CT血管成像报告补充",
    "Research use only, not for diagnosis": "仅供研究,不用于诊断",
    "Draft": "草稿",
    "Draft: nobody has signed this report.": "草稿:本报告尚未签署。",
    "Draft beside the signed report: version {number} was signed by {by} on {at} and has not changed.":
        "已签署报告之外的草稿:第{number}版由{by}于{at}签署,内容未变。",
    "Version {number}, signed by {by} on {at}": "第{number}版,{by}于{at}签署",
    "Adds to": "补充对象",
    "SHA-256 of its {file}": "其{file}的SHA-256",
    "The signed report, which stays as it is": "已签署的报告,保持不变",
    "Patient": "患者", "Patient ID": "患者编号", "Sex, age": "性别,年龄", "Study date": "检查日期", "Accession number": "检查号", "Study": "检查",
    "{years:.0f} y": "{years:.0f}岁", "not given": "未提供", "not named": "未命名", "M": "男", "F": "女", "O": "其他",
    "Impression": "印象", "Not available.": "不可用。", "Not available": "不可用的项目", "not available": "不可用", "Reason": "原因",
    "not available: {reason}": "不可用:{reason}",
    "Guidance of this category for stable chest pain:": "该类别对稳定性胸痛的建议:",
    "no category": "无类别", "The coronary arteries were not graded": "冠状动脉未分级",
    ", ": ",", "{finding}.": "{finding}。", "yes": "是", "no: {reason}": "否:{reason}", "none": "无", "lesion": "病变", "unnamed": "未命名",
    "Indication": "检查指征", "Clinical data": "临床资料", "Not given to the software.": "未提供给软件。",
    "Key picture": "关键图像", "Key pictures": "关键图像",
    "Limits of this report": "本报告的局限", "Heart": "心脏", "What could not be measured, and why": "未能测量的项目及原因",
}  # fmt: skip

_IMPRESSION = {
    "The heart could be measured: {values}.": "心脏可测量:{values}。",
    "LV mass": "左心室心肌质量", "LV cavity": "左心室腔", "epicardial fat": "心外膜脂肪",
    "The coronary arteries could not be assessed: {reason}.": "冠状动脉无法评估:{reason}。",
    "No stenosis of 50 % or more (worst {worst:.0f} %).": "未见50 %及以上狭窄(最重{worst:.0f} %)。",
    "No coronary stenosis.": "冠状动脉未见狭窄。",
    "{pct:.0f} % diameter stenosis of the {place} (minimal lumen {mld:.1f} mm)": "{place}直径狭窄{pct:.0f} %(最小管腔直径{mld:.1f} mm)",
    ", {kind} plaque": ",{kind}斑块", ", high-risk features {names}": ",高危特征{names}",
    "FFR was not computed: {reason}.": "未计算FFR:{reason}。",
    "FFR could not be read in any vessel.": "所有血管均无法读取FFR。",
    "Lowest computed FFR {ffr:.2f} in the {vessel}: {verdict}{others}.": "计算的最低FFR为{vessel} {ffr:.2f}:{verdict}{others}。",
    ", {share:.0f} % of it low-attenuation": ",其中低密度{share:.0f} %",
    "Plaque volume {volume:.0f} mm³{low}; percent atheroma volume {pav:.1f} %; stage {stage}.":
        "斑块体积{volume:.0f} mm³{low};斑块体积百分比{pav:.1f} %;分期{stage}。",
    "Agatston score {score:.0f} ({category}){place}.": "Agatston积分{score:.0f}({category}){place}。",
    ", percentile {value:.0f} for age and sex": ",同年龄同性别第{value:.0f}百分位",
    "Corrected by hand in {count} places ({who}); values that rest on it are marked †.": "人工修正{count}处({who});依据修正的数值以†标记。",
    "Computed FFR along the coronary tree, from the front and from the left front. Width is the lumen diameter; grey is the zone 0.75-0.80.":
        "沿冠状动脉树的计算FFR,正面观与左前观。宽度为管腔直径;灰色为0.75-0.80灰区。",
}  # fmt: skip

_CALCIUM = {
    "Coronary calcium": "冠状动脉钙化", "Lesion": "病变", "Lesions": "病变", "Vessel": "血管", "Agatston": "Agatston", "Volume mm³": "体积 mm³",
    "Mass mg": "质量 mg", "Peak HU": "峰值 HU", "Probability": "概率", "Agatston score": "Agatston积分", "Spread of the score": "积分的变动范围",
    "Percentile for age and sex": "年龄与性别百分位", "Volume, mass": "体积,质量", "Method": "方法", "threshold {hu:.0f} HU": "阈值{hu:.0f} HU",
    "{low:.0f} to {high:.0f}, by where the first slice happens to lie": "{low:.0f}至{high:.0f},取决于首层的位置",
    "Each lesion: number, artery, Agatston score; red: what was scored. Axial, seen from the feet.":
        "每个病变:编号、血管、Agatston积分;红色为计分区域。横断面,足侧观。",
    "Probability that it is calcium of this artery; below 0.5 it deserves a second look. Change the list with `ccta lesions`.":
        "为该血管钙化的概率;低于0.5者需再次查看。用`ccta lesions`修改列表。",
    "Not counted as coronary: {kinds}. Each with its place is in findings.json.": "未计为冠状动脉钙化:{kinds}。各处位置见findings.json。",
    "Not counted and not listed, spots away from the arteries: {kinds}.": "未计入亦未列出,远离血管的亮点:{kinds}。",
    "Lesion {id}: {note}.": "病变{id}:{note}。",
    "Corrected by hand: lesion {id}, {change}, by {who}, {when}.": "人工修正:病变{id},{change},{who},{when}。",
    "uncalibrated": "未校准", "reader": "阅片者", "corrected": "已修正", "not coronary": "非冠状动脉", "Agatston {score:.0f}": "Agatston {score:.0f}",
}  # fmt: skip

_CORONARY = {
    "Findings by vessel": "各血管所见", "no stenosis": "无狭窄", "no plaque": "无斑块", "{place}: {pct:.0f} % stenosis": "{place}狭窄{pct:.0f} %",
    "plaque {volume:.0f} mm³": "斑块{volume:.0f} mm³", "FFR {ffr:.2f}, {verdict}": "FFR {ffr:.2f},{verdict}",
    "pericoronary fat {hu:.0f} HU": "冠周脂肪{hu:.0f} HU",
    "Stenoses": "狭窄", "No stenosis was found.": "未见狭窄。", "Segment": "节段", "Diameter stenosis %": "直径狭窄 %", "Area %": "面积 %",
    "MLD / ref. mm": "最小/参考直径 mm", "MLA mm²": "最小面积 mm²", "Length mm": "长度 mm", "Plaque": "斑块", "FFR": "FFR",
    "{length:.0f} at {place:.0f}": "{length:.0f},位于{place:.0f}",
    "In brackets: 90 % interval. Length, and the place of the minimal lumen along the vessel. FFR is read behind the lesion.":
        "括号内:90 %区间。长度,及最小管腔沿血管的位置。FFR在病变后方读取。",
    " † rests on a correction by hand, listed under Corrections by hand.": " †依据人工修正,见“人工修正”。",
    "{vessel}, laid straight from its origin; yellow the lumen, red the stenoses.": "{vessel},自起始部拉直;黄色为管腔,红色为狭窄。",
    "Cross-sections at the minimal lumen: lumen (yellow) and outer wall (blue).": "最小管腔处横截面:管腔(黄)与外壁(蓝)。",
    "Lumen diameter (Ø) along the vessels; blue: the expected normal diameter.": "沿血管的管腔直径(Ø);蓝色:预期正常直径。",
    "Coronary arteries by segment": "各节段冠状动脉", "Mean diameter mm": "平均直径 mm", "Worst stenosis": "最重狭窄", "Plaque mm³": "斑块 mm³",
    "Quality 1–5": "质量 1–5", "Network agrees": "网络一致", "Dominance": "优势型", "Artery without a segment name": "未命名节段的血管",
    "Main segments that were not found: {names}.": "未找到的主要节段:{names}。",
    "Segment quality: 1 non-diagnostic, 2 poor, 3 adequate, 4 good, 5 excellent.": "节段质量:1不可诊断,2差,3尚可,4好,5优。",
    "Network agrees: share of the segment's length on which the coronary network, asked by itself, sees an artery too; look at segments below 80 %.":
        "网络一致:冠状动脉网络单独判断时也认为是动脉的节段长度比例;低于80 %的节段请查看。",
    "right": "右优势", "left": "左优势", "codominant": "均衡型", "co-dominant": "均衡型", "unknown": "未知",
    "Plaque and pericoronary fat": "斑块与冠周脂肪", "Total mm³": "总体积 mm³", "Non-calcified mm³": "非钙化 mm³",
    "of it low-attenuation mm³": "其中低密度 mm³", "Calcified mm³": "钙化 mm³", "PAV %": "PAV %", "Stage": "分期",
    "HU ranges {ranges}. PAV: plaque volume over vessel volume.": "HU范围{ranges}。PAV:斑块体积占血管体积的百分比。",
    "Segment involvement, segment stenosis score": "节段受累积分,节段狭窄积分", "Leiden CTA score": "Leiden CTA积分",
    "0-5, low": "0-5,低", "6-20, intermediate": "6-20,中", "> 20, high": "> 20,高",
    "Plaque volume by composition, in HU ranges; the lowest is low-attenuation plaque, the highest calcium.":
        "按HU范围划分的斑块成分体积;最低者为低密度斑块,最高者为钙化。",
    "Pericoronary fat attenuation index": "冠周脂肪衰减指数", "Fat attenuation HU": "脂肪衰减 HU", "Measured with": "测量条件",
    "mixed": "混合性", "calcified": "钙化", "non-calcified": "非钙化", "0 (none)": "0(无)", "1 (mild)": "1(轻度)", "2 (moderate)": "2(中度)",
    "3 (severe)": "3(重度)",
    "positive remodelling": "正性重构", "low attenuation": "低密度", "spotty calcium": "点状钙化", "napkin-ring sign": "餐巾环征",
}  # fmt: skip

_EDITS = {
    "Corrections by hand": "人工修正", "When": "时间", "Who": "修正者", "Where": "位置", "What": "内容", "Before": "修正前", "After": "修正后", "State": "状态",
    "Times in UTC. What was undone or replaced holds no longer. FFR follows contours and centerlines, not a degree given by eye.":
        "时间为UTC。已撤销或被替换者不再有效。FFR依据轮廓与中心线,不依据目测程度。",
    "applied": "有效", "undone": "已撤销", "replaced": "已替换", "lumen contour": "管腔轮廓", "wall contour": "外壁轮廓", "segment name": "节段名称",
    "centerline point": "中心线点", "stenosis added": "增加狭窄", "stenosis deleted": "删除狭窄", "stenosis regraded": "狭窄重新分级",
}  # fmt: skip

_STUDY = {
    "Technique": "检查技术", "Series": "序列", "Calcium series": "钙化序列", "Chosen because": "选用原因", "it was the only one": "唯一序列",
    "Scanner": "扫描仪", "not named in the file": "文件中未注明", "Tube voltage, kernel": "管电压,重建核", "kernel not named": "重建核未注明",
    "Cardiac phase": "心动时相", "contrast-enhanced": "增强", "ECG-gated": "心电门控", "Voxels": "体素", "size not known": "大小未知",
    "Image quality": "图像质量", "Good enough for {task}": "质量足以用于{task}",
    "Aortic enhancement": "主动脉强化", "Noise (SD in the aorta)": "噪声(主动脉标准差)",
    "Signal to noise, contrast to noise": "信噪比,对比噪声比",
    "Computed fractional flow reserve": "计算的血流储备分数", "Model": "模型", "Mean aortic pressure": "平均主动脉压",
    "Coronary flow at hyperaemia": "充血状态冠脉血流", "Assumptions behind the numbers:": "数值所依据的假设:", "behind {place}": "{place}后方",
    "90 % interval": "90 %区间", "Mostly from": "主要来源", "Read at mm": "读取位置 mm", "Fall across lesion": "跨病变下降", "Verdict": "判断",
    "positive": "阳性", "negative": "阴性", "grey zone": "灰区",
    "Positive ≤ 0.75, grey zone 0.76–0.80, negative > 0.80. Read behind the lesion, not at the end of the vessel. "
    "Mostly from: the cause of most of the interval; measuring it would narrow the interval most.":
        "阳性≤0.75,灰区0.76–0.80,阴性>0.80。在病变后方读取,而非血管末端。主要来源:区间的最大成因,测量它最能缩小区间。",
    "Pullback: FFR and lumen diameter (Ø) along each vessel. Grey: 0.75–0.80; yellow: stenoses.":
        "回撤曲线:沿各血管的FFR与管腔直径(Ø)。灰色:0.75–0.80;黄色:狭窄。",
    "LV end-diastolic volume": "左心室舒张末期容积", "LV ejection fraction": "左心室射血分数", "Epicardial fat": "心外膜脂肪",
    "reduced-order model of the whole tree (steady)": "全血管树降阶模型(定常)",
    "3-D Navier-Stokes equations on the whole tree (steady, finite elements)": "全血管树三维Navier-Stokes方程(定常,有限元)",
    "3-D Navier-Stokes equations on the whole tree over the heart's cycle (rigid walls, coronary outlets; mean of the cycle)":
        "全血管树三维Navier-Stokes方程(心动周期,刚性壁,冠脉出口;周期平均)",
    "reduced-order model over the heart cycle (pulsatile)": "心动周期降阶模型(脉动)",
    "blood pressure": "血压", "microvascular resistance": "微血管阻力", "myocardial mass": "心肌质量", "outlet exponent": "出口指数",
    "lumen contours": "管腔轮廓",
    # names of findings
    "CT acquisition": "CT采集", "calcium acquisition": "钙化采集", "image quality": "图像质量", "calcium score": "钙化积分", "coronary tree": "冠状动脉树",
    "stenoses": "狭窄", "plaque": "斑块", "pericoronary fat": "冠周脂肪", "tree scores": "血管树积分", "heart": "心脏", "patient": "患者", "age": "年龄",
    "tube voltage": "管电压", "cardiac phase": "心动时相", "noise": "噪声", "signal to noise": "信噪比", "contrast to noise": "对比噪声比",
    "aortic enhancement": "主动脉强化", "percentile": "百分位", "fat attenuation index": "脂肪衰减指数", "segment involvement": "节段受累积分",
    "segment stenosis score": "节段狭窄积分", "Leiden score": "Leiden积分", "interval of the stenosis": "狭窄区间", "place of reading": "读取位置",
    "fall across the lesion": "跨病变下降", "lower limit": "下限", "upper limit": "上限", "calcium": "钙化", "anatomy": "解剖", "ffr": "FFR",
    "calcium quality": "钙化序列质量", "fat hu": "脂肪 HU", "rv lv ratio": "右/左心室强化比", "edge mm": "管腔边缘宽度", "segments": "节段",
    "confidence": "一致度", "noise 3mm hu": "3 mm层噪声", "agatston interval": "积分变动范围",
}  # fmt: skip

_ADVICE = {
    "Recommendation by CAD-RADS": "CAD-RADS建议",
    "From the CAD-RADS 2.0 consensus (Cury 2022) for stable chest pain, in our words. The treating physician decides.":
        "依据CAD-RADS 2.0共识(Cury 2022)稳定性胸痛部分,以我们的文字表述。由主治医师决定。",
    "Absence of coronary artery disease": "无冠状动脉疾病",
    "No further cardiac investigation; other causes of the symptoms may be considered.": "无需进一步心脏检查;可考虑症状的其他原因。",
    "Minimal non-obstructive coronary artery disease": "极轻度非阻塞性冠状动脉疾病",
    "Mild non-obstructive coronary artery disease": "轻度非阻塞性冠状动脉疾病",
    "Other causes of the symptoms may be considered; preventive therapy and risk factors.": "可考虑症状的其他原因;预防性治疗与危险因素控制。",
    "Moderate stenosis": "中度狭窄",
    "Consider functional assessment; symptom-guided anti-ischaemic and preventive therapy.": "考虑功能学评估;按症状抗缺血治疗与预防性治疗。",
    "Severe stenosis": "重度狭窄",
    "Consider invasive coronary angiography or functional assessment; anti-ischaemic and preventive therapy.":
        "考虑有创冠状动脉造影或功能学评估;抗缺血与预防性治疗。",
    "Severe stenosis: left main or three vessels": "重度狭窄:左主干或三支血管",
    "Invasive coronary angiography is recommended; anti-ischaemic and preventive therapy.": "建议有创冠状动脉造影;抗缺血与预防性治疗。",
    "Total coronary occlusion": "冠状动脉完全闭塞",
    "Consider invasive angiography, functional or viability assessment; anti-ischaemic and preventive therapy.":
        "考虑有创造影、功能学或存活心肌评估;抗缺血与预防性治疗。",
    "Non-diagnostic: obstructive disease is not excluded": "不可诊断:不能排除阻塞性疾病",
    "Additional or alternative evaluation may be needed.": "可能需要补充或其他检查。",
    "mild plaque burden": "轻度斑块负荷", "moderate plaque burden": "中度斑块负荷",
    "severe plaque burden": "重度斑块负荷", "extensive plaque burden": "广泛斑块负荷",
    "P1: risk factors and preventive therapy as for mild plaque burden.": "P1:按轻度斑块负荷控制危险因素并预防性治疗。",
    "P2: preventive therapy is advised.": "P2:建议预防性治疗。",
    "P3: aggressive preventive therapy is advised, whatever the stenosis.": "P3:无论狭窄程度,建议强化预防性治疗。",
    "P4: aggressive preventive therapy is advised, whatever the stenosis.": "P4:无论狭窄程度,建议强化预防性治疗。",
    "HRP: high-risk plaque; more intensive preventive therapy may be considered, and in acute chest pain observation.":
        "HRP:高危斑块;可考虑更强的预防性治疗,急性胸痛时可考虑留观。",
    "I+: computed FFR suggests lesion-specific ischaemia; invasive coronary angiography may be considered where symptoms persist.":
        "I+:计算FFR提示病变特异性缺血;症状持续时可考虑有创冠状动脉造影。",
    "I-: computed FFR does not suggest ischaemia; medical therapy before invasive angiography.": "I-:计算FFR未提示缺血;先药物治疗,再考虑有创造影。",
    "I±: computed FFR is in the grey zone; decide by symptoms, site of the lesion and other tests.": "I±:计算FFR处于灰区;结合症状、病变部位及其他检查决定。",
    "N: some segments could not be read; another test may be needed for them.": "N:部分节段无法读取;可能需要其他检查。",
    "Produced automatically: whoever signs confirms the text, not every contour and measurement.": "自动生成:签署者确认文字,并非每一轮廓与测量。",
    "Stents, bypass grafts, anomalous arteries and non-atherosclerotic disease are not detected: the modifiers S, G and E are never assigned.":
        "不检测支架、桥血管、异常起源血管及非动脉粥样硬化疾病:从不给出S、G、E修饰符。",
    "Arteries below 1.5 mm are not graded. Heavily calcified plaque blooms, and its stenosis tends to be over-read.":
        "1.5 mm以下的血管不分级。重度钙化斑块有晕状伪影,其狭窄易被高估。",
    "Plaque volumes depend on scanner, voltage, kernel and contrast; compare only examinations made alike.":
        "斑块体积取决于扫描仪、电压、重建核与对比剂;仅比较条件相同的检查。",
    "FFR is computed from the anatomy and from assumed resting flow and hyperaemia, not measured with a wire.":
        "FFR由解剖及假定的静息血流与充血状态计算,非导丝测得。",
    "Non-coronary findings (lungs, valves, great vessels, bones) were not looked for.": "未查找非冠状动脉所见(肺、瓣膜、大血管、骨)。",
}  # fmt: skip

CHINESE = _PAGE | _IMPRESSION | _CALCIUM | _CORONARY | _EDITS | _STUDY | _ADVICE
