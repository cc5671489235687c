"""How the reading page looks: one dark sheet for a reading room."""

STYLE = """
html, body { overflow: hidden !important; background: #0b0d0f; }
.room { display: grid; height: 100vh; gap: 5px; padding: 5px; box-sizing: border-box; color: #dfe5ea; 
  font: 13px/1.35 system-ui, "DejaVu Sans", "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", sans-serif;
  grid-template-columns: 1fr 1fr 1.95fr; grid-template-rows: 36px minmax(0, 1fr) minmax(0, 1fr); user-select: none; }
.bar { grid-column: 1 / 4; display: flex; gap: 7px; align-items: center; white-space: nowrap; background: #15191d; border-radius: 6px; padding: 0 10px; }
.bar b { color: #fff; font-weight: 600; } .bar .sub { color: #8fa1b3; overflow: hidden; text-overflow: ellipsis; flex: 0 1 auto; min-width: 0; }
.bar select { background: #22282e; color: #dfe5ea; border: 1px solid #3a434c; border-radius: 5px; padding: 3px 4px; font: inherit; font-size: 12px;
  appearance: auto; }
.bar button, .bar a, .tools button, .tools input, .tools select, .hint button, .bar input { font: inherit; font-size: 11.5px;
  color: #dfe5ea; background: #22282e;  border: 1px solid #3a434c; border-radius: 5px; padding: 2px 7px; cursor: pointer; white-space: nowrap; }
.bar input { width: 90px; cursor: text; } .tools input { width: 38px; cursor: text; } .tools select { appearance: auto; width: 84px; padding: 1px 2px; }
.bar a { text-decoration: none; } .bar button:hover, .bar a:hover, .tools button:hover { background: #2d3640; } 
.tools button:disabled { opacity: 0.35; cursor: default; }
.tools button.on { background: #27465e; color: #fff; border-color: #6fc0f0; } .tools button.on.wall { background: #5a4310; border-color: #f0b849; }
.tools { position: absolute; z-index: 3; left: 5px; right: 5px; top: 4px; display: flex; gap: 4px; flex-wrap: wrap; }
.tools.edit { position: static; padding: 5px 6px; } .hint { padding: 2px 8px 5px; font-size: 11.5px; color: #ffe27a; }
.hint progress { width: 70px; height: 8px; margin: 0 6px; accent-color: #6fc0f0; } .hint button { margin-left: 6px; }
.handle { position: absolute; width: 12px; height: 12px; margin: -6px 0 0 -6px; border-radius: 50%; background: #fff; border: 2.5px solid #1c6ea4;
  pointer-events: auto; cursor: grab; touch-action: none; }
.stack img { width: 100%; height: 100%; object-fit: fill; display: block; } .tiles { position: absolute; inset: 0; display: flex; }
.tile { position: relative; flex: 1; cursor: pointer; border-right: 1px solid #20262c; } .tile svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.tile:nth-child(4) { box-shadow: inset 0 0 0 1.5px #5df29a; } .tile.mld span { color: #f0b849; font-weight: 600; }
.tile span { position: absolute; left: 4px; bottom: 2px; font-size: 10.5px; color: #b8c4cf; text-shadow: 0 0 3px #000, 0 0 3px #000; pointer-events: none;
  white-space: nowrap; } .pane .name.low-name { top: auto; bottom: 4px; }
.sheet { position: fixed; inset: 0; z-index: 9; display: flex; align-items: center; justify-content: center; background: #000a; }
.sheet > div { background: #15191d; border: 1px solid #3a434c; border-radius: 8px; padding: 14px 22px; max-width: 560px; }
.sheet th { text-align: left; padding: 2px 18px 2px 0; color: #7ee2a8; font-weight: 600; white-space: nowrap; } .sheet b { color: #fff; }
.bar .place { color: #7ee2a8; font-variant-numeric: tabular-nums; font-weight: 600; margin-left: auto; }
.bar .problem { color: #ff8a80; }
.bar .note { color: #d9a441; font-size: 11px; white-space: normal; line-height: 1.15; text-align: right; flex: 0 0 100px; }
.pane { position: relative; background: #000; overflow: hidden; min-height: 0; min-width: 0; border-radius: 6px; border: 1px solid #20262c; }
.pane .name { position: absolute; left: 8px; top: 4px; z-index: 2; color: #9fb3c8; pointer-events: none; text-shadow: 0 0 3px #000, 0 0 3px #000;
  font-size: 12px; }
.slice { container-type: size; }
.fit { position: absolute; inset: 0; margin: auto; cursor: crosshair; line-height: 0; }
.slice .fit { width: min(100cqw, 100cqh * var(--ratio)); aspect-ratio: var(--ratio); }
.fit img { width: 100%; height: 100%; display: block; } .overlay { pointer-events: none; }
.overlay svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; }
.edge { position: absolute; color: #c9a94e; font-size: 12px; pointer-events: none; line-height: 1; text-shadow: 0 0 3px #000; }
.edge.l { left: 8px; top: 50%; } .edge.r { right: 8px; top: 50%; } .edge.u { top: 6px; left: 50%; } .edge.d { bottom: 6px; left: 50%; }
.empty { position: absolute; inset: 0; display: flex; align-items: center; justify-content: center; text-align: center; padding: 24px; color: #9fb3c8;
  background: #0f1316; line-height: 1.4; }
.side { grid-column: 3; grid-row: 2 / 4; display: grid; gap: 5px; min-height: 0; min-width: 0;
  grid-template-rows: auto minmax(90px, 0.8fr) minmax(130px, 1fr) auto minmax(190px, 1.5fr); }
.stack { aspect-ratio: 7 / 1; } .cprbox { touch-action: none; }
.facts { display: grid; grid-template-columns: repeat(4, 1fr); gap: 5px; max-height: 116px; overflow: auto; }
.fact { background: #15191d; border-radius: 6px; padding: 4px 9px; min-width: 0; }
.fact i { display: block; color: #8fa1b3; font-style: normal; font-size: 11px; }
.fact b { font-size: 15px; white-space: nowrap; font-weight: 600; color: #fff; }
.fact span { font-size: 11px; color: #c0a878; line-height: 1.25; display: block; }
.plot { position: absolute; left: 34px; right: 34px; top: 24px; bottom: 20px; }
.cprbox { position: absolute; left: 34px; right: 34px; top: 22px; bottom: 4px; }
.plot svg, .cprbox svg { position: absolute; inset: 0; width: 100%; height: 100%; } .cprbox { cursor: crosshair; } .plot { cursor: crosshair; }
.cprbox img { width: 100%; height: 100%; object-fit: fill; display: block; }
.tick { position: absolute; font-size: 10.5px; color: #8fa1b3; pointer-events: none; line-height: 1; transform: translate(-50%, -50%);
  white-space: nowrap; }
.tick.white { left: -17px; color: #fff; } .tick.blue { left: calc(100% + 15px); color: #6fc0f0; } .tick.under { top: calc(100% + 9px); }
.tick.segment { top: 9px; color: #b8c4cf; } .tick.lesion { bottom: -1px; color: #f0b849; }
.low { display: grid; grid-template-columns: minmax(0, 0.68fr) minmax(0, 1.5fr); gap: 5px; min-height: 0; }
.square { container-type: size; } .square .fit { width: min(100cqw, 100cqh); aspect-ratio: 1; }
.rows { background: #15191d; border-radius: 6px; overflow: auto; min-height: 0; }
.rows table { border-collapse: collapse; width: 100%; font-size: 12px; }
.rows td, .rows th { text-align: left; padding: 4px 2px 4px 5px; border-bottom: 1px solid #242b31; }
.rows th { color: #8fa1b3; font-weight: 500; position: sticky; top: 0; background: #15191d; } .rows td, .rows th { white-space: nowrap; }
.rows td { font-variant-numeric: tabular-nums; }
.notes { padding: 8px; font-size: 11.5px; color: #b4c0ca; user-select: text; } .notes p { margin: 0 0 5px; } .notes i { color: #8fa1b3; }
.notes p.undone, .notes p.replaced { opacity: 0.55; } .notes b { color: #dfe5ea; display: block; margin-bottom: 3px; }
.rows td:last-child { white-space: normal; min-width: 60px; }
td small { font-weight: 400; font-size: 10.5px; }
tr.row { cursor: pointer; } tr.row:hover { background: #222c35; } tr.chosen, tr.chosen:hover { background: #27465e; }
td.positive { color: #ff8a80; font-weight: 700; } td.grey { color: #f0c75e; font-weight: 700; } td.negative { color: #8fd0a5; }
td.absent { font-size: 11px; color: #8fa1b3; }
.stent { font: inherit; font-size: 11px; color: #d5b3ee; background: #241c2b; border: 1px solid #54406a; border-radius: 4px; padding: 0 5px;
  margin-right: 6px; cursor: pointer; white-space: nowrap; } .stent.on { background: #6b3f8f; color: #fff; }
.planner input { width: calc(100% - 16px); margin: 6px 8px 0; background: #22282e; color: #dfe5ea; border: 1px solid #3a434c; border-radius: 5px;
  padding: 3px 6px; font: inherit; font-size: 12px; box-sizing: border-box; }
.legend em { position: absolute; left: -3px; right: -3px; border: 1.5px solid #fff; border-radius: 2px; box-sizing: border-box; }
.legend em u { position: absolute; right: 52px; top: 50%; transform: translateY(-50%); font-size: 11px; font-style: normal; text-decoration: none;
  color: #d9d9d9; white-space: nowrap; }
.legend { position: absolute; right: 12px; top: 34px; height: 45%; width: 11px; border-radius: 3px; pointer-events: none; }
.legend span { position: absolute; right: 17px; font-size: 11px; color: #c6d0d9; transform: translateY(-50%); white-space: nowrap;
  text-shadow: 0 0 3px #000; }
"""
