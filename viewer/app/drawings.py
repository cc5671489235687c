"""SVG and small HTML that the browser draws from the page's state (Vue templates): cross-hair, curves, contours, scales. `tr`: the page's words."""

from viewer.app.marks import DROP, MARKS

BOX = '<svg viewBox="0 0 100 100" preserveAspectRatio="none">'
FIXED = 'vector-effect="non-scaling-stroke"'
HERE = f'stroke="#5df29a" stroke-width="1.5" {FIXED}'
HOVER = f'stroke="#5df29a" stroke-width="1" stroke-dasharray="2 3" {FIXED}'
LUMEN, WALL = "#6fc0f0", "#f0b849"

CROSSHAIR = f"""{BOX}
<line v-for="(l, i) in NAME_drawn.lines" :key="'l' + i" :x1="l[0]" :y1="l[1]" :x2="l[2]" :y2="l[3]" :stroke="l[4]" stroke-width="1" opacity="0.8" {FIXED} />
<path v-if="NAME_drawn.wall" :d="NAME_drawn.wall" fill="none" stroke="{WALL}" stroke-width="1" stroke-dasharray="3 3" opacity="0.8" {FIXED} />
<path v-if="NAME_drawn.lumen" :d="NAME_drawn.lumen" fill="none" stroke="{LUMEN}" stroke-width="1" opacity="0.9" {FIXED} />
</svg><div class="hair" :data-x="NAME_x" :data-y="NAME_y"></div>
<div v-for="(g, i) in NAME_drawn.grips" :key="'g' + i" class="grip" :style="`left: ${{g[0]}}%; top: ${{g[1]}}%`"></div>{MARKS}"""
"""The lines of the two other slices with a gap in the middle, so that the vessel stays visible, and the places where they can be taken and turned; lumen and
wall where the slice cuts them; measurements. NAME stands for the slice."""

LESIONS = """<rect v-for="(l, i) in chart.lesions" :key="i" :x="l[0]" y="0" :width="l[1]" height="100" fill="#f0b849" opacity="0.2" />"""

CPR_MARKS = f"""{BOX}
<path v-for="(d, i) in cpr_edges" :key="'e' + i" :d="d" fill="none" :stroke="i < 2 ? '{LUMEN}' : '{WALL}'" stroke-width="1"
 :stroke-dasharray="i < 2 ? '' : '4 3'" opacity="0.85" {FIXED} />
<g v-for="(l, i) in cpr.lesions" :key="i">
<line :x1="l[0]" :x2="l[0] + l[1]" y1="99" y2="99" stroke="#f0b849" stroke-width="3" {FIXED} />
<line :x1="l[0]" :x2="l[0] + l[1]" y1="1" y2="1" stroke="#f0b849" stroke-width="3" {FIXED} /></g>
<line v-if="over_x >= 0" :x1="over_x" :x2="over_x" y1="0" y2="100" {HOVER} />
<line v-if="chart.length_mm" id="cpr-marker" :x1="cpr.x" :x2="cpr.x" y1="0" y2="100" {HERE} />
</svg><template v-if="!views.curved">{DROP}</template>{MARKS.replace("NAME", "cpr")}"""

CHART = f"""{BOX}
<rect x="0" y="0" width="100" height="100" fill="#0c1013" stroke="#333c44" {FIXED} />
<rect v-if="chart.ffr" x="0" width="100" :y="chart.grey[0]" :height="chart.grey[1] - chart.grey[0]" fill="#aeb8c2" opacity="0.35" />
{LESIONS}
<line v-for="(s, i) in chart.segments.slice(1)" :key="'s' + i" :x1="s[0]" :x2="s[0]" y1="0" y2="100" stroke="#4a545d" stroke-dasharray="2 3" {FIXED} />
<path :d="chart.reference" stroke="{LUMEN}" fill="none" stroke-width="1.3" stroke-dasharray="5 4" {FIXED} />
<path :d="chart.diameter" stroke="{LUMEN}" fill="none" stroke-width="1.6" {FIXED} />
<path id="ffr-curve" :d="chart.ffr" stroke="#fff" fill="none" stroke-width="2.5" {FIXED} />
<rect v-for="(s, i) in chart.stents" :key="'st' + i" :x="s[0]" y="94" :width="s[1]" height="4" fill="#d58bff" />
<path v-if="chart.planned" id="planned" :d="chart.planned" stroke="#d58bff" fill="none" stroke-width="2.2" stroke-dasharray="7 3" {FIXED} />
<line v-if="hover_x >= 0" :x1="hover_x" :x2="hover_x" y1="0" y2="100" {HOVER} />
<line v-if="chart.length_mm" id="curve-marker" :x1="place_x" :x2="place_x" y1="0" y2="100" {HERE} />
</svg>{DROP}
<div v-for="t in chart.ffr_ticks" :key="'f' + t[1]" class="tick white" :style="`top: ${{t[0]}}%`">{{{{ t[1] }}}}</div>
<div v-for="t in chart.mm_ticks" :key="'m' + t[1]" class="tick blue" :style="`top: ${{t[0]}}%`">{{{{ t[1] }}}}</div>
<div v-for="t in chart.along_ticks" :key="'a' + t[1]" class="tick under" :style="`left: ${{t[0]}}%`">{{{{ t[1] }}}}</div>
<div v-for="(s, i) in chart.segments" :key="'n' + i" class="tick segment" :style="`left: ${{s[0] + s[1] / 2}}%`">{{{{ s[1] > 6 ? s[2] : '' }}}}</div>
<div v-for="(l, i) in chart.lesions" :key="'l' + i" class="tick lesion" :style="`left: ${{l[0] + l[1] / 2}}%`">{{{{ l[2] }}}}</div>"""

CONTOURS = f"""{BOX}
<polygon v-for="(points, i) in contours" :key="i" :points="points" fill="none" :stroke="i ? '{WALL}' : '{LUMEN}'"
 :stroke-dasharray="i ? '5 3' : ''" stroke-width="1.8" {FIXED} />
</svg>{MARKS.replace("NAME", "cross")}
<i v-for="(h, i) in mode === 'brush' ? [] : handles" :key="'h' + i" :id="'handle-' + i"
 :data-handle="i" class="handle" :style="`left: ${{h[0]}}%; top: ${{h[1]}}%`"></i>
<div id="brush-ring" class="brush-ring"></div>"""

TILES = f"""<div v-for="(tile, i) in stack" :key="i" :id="'tile-' + i" :class="tile.mld ? 'tile mld' : 'tile'" :data-fraction="tile.fraction">{BOX}
<polygon v-for="(points, k) in tile.contours" :key="k" :points="points" fill="none" :stroke="k ? '{WALL}' : '{LUMEN}'" :stroke-dasharray="k ? '3 2' : ''"
 stroke-width="1.2" {FIXED} /></svg><span>{{{{ tile.mm.toFixed(0) }}}} mm {{{{ tile.mld ? tr.mld : '' }}}}</span></div>"""

LEGEND = """<span v-for="m in scale.marks" :key="m[1]" :style="`top: ${m[0]}%`">{{ m[1] }}</span>
<em v-if="scale.zone" :style="`top: ${scale.zone[0]}%; height: ${scale.zone[1] - scale.zone[0]}%`"><u>{{ tr.grey_zone }}</u></em>"""

NOTES = """<p v-for="(note, i) in notes" :key="i"><i>{{ note[0] }}</i> {{ note[1] }}</p>"""

FACTS = """<div class="fact" v-for="fact in facts" :key="fact[0]"><i>{{ fact[0] }}</i>
<b v-if="fact[2]">{{ fact[1] }}</b><span v-else>{{ fact[1] }}</span></div>"""

CORRECTIONS = (
    """<p v-for="(c, i) in corrections" :key="i" :class="c.state"><i>{{ c.shown }}</i> {{ c.what }}, {{ c.where }}: {{ c.change }} ({{ c.who }})</p>"""
)

SHEET = """<table><tr v-for="(row, i) in sheet" :key="i"><th>{{ row[0] }}</th><td>{{ row[1] }}</td></tr></table>"""
