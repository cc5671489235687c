"""How the reading page looks: one dark sheet for a reading room."""

STYLE = """
html, body { overflow: hidden !important; background: #0b0d0f; }
.room { display: grid; height: 100vh; gap: 5px; padding: 5px; box-sizing: border-box; color: #dfe5ea; font: 13px/1.35 system-ui, "DejaVu Sans", sans-serif;
  grid-template-columns: 1fr 1fr 1.3fr; grid-template-rows: 36px minmax(0, 1fr) minmax(0, 1fr); user-select: none; }
.bar { grid-column: 1 / 4; display: flex; gap: 10px; align-items: center; white-space: nowrap; background: #15191d; border-radius: 6px; padding: 0 10px; }
.bar b { color: #fff; font-weight: 600; } .bar .sub { color: #8fa1b3; overflow: hidden; text-overflow: ellipsis; flex: 0 1 auto; min-width: 0; }
.bar select { background: #22282e; color: #dfe5ea; border: 1px solid #3a434c; border-radius: 5px; padding: 3px 6px; font: inherit; appearance: auto; }
.bar .place { color: #7ee2a8; font-variant-numeric: tabular-nums; font-weight: 600; margin-left: auto; }
.bar .problem { color: #ff8a80; }
.bar .note { color: #d9a441; font-size: 11px; white-space: normal; line-height: 1.15; text-align: right; flex: 0 0 auto; }
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
  grid-template-rows: auto minmax(90px, 0.75fr) minmax(150px, 1.05fr) minmax(190px, 1.35fr); }
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
.low { display: grid; grid-template-columns: minmax(0, 0.8fr) minmax(0, 1.5fr); gap: 5px; min-height: 0; }
.square { container-type: size; } .square .fit { width: min(100cqw, 100cqh); aspect-ratio: 1; }
.rows { background: #15191d; border-radius: 6px; overflow: auto; min-height: 0; }
.rows table { border-collapse: collapse; width: 100%; font-size: 12.5px; }
.rows td, .rows th { text-align: left; padding: 4px 7px; border-bottom: 1px solid #242b31; }
.rows th { color: #8fa1b3; font-weight: 500; position: sticky; top: 0; background: #15191d; } .rows td { font-variant-numeric: tabular-nums; }
.notes { padding: 8px; font-size: 11.5px; color: #b4c0ca; user-select: text; } .notes p { margin: 0 0 5px; } .notes i { color: #8fa1b3; }
tr.row { cursor: pointer; } tr.row:hover { background: #222c35; } tr.chosen, tr.chosen:hover { background: #27465e; }
td.positive { color: #ff8a80; font-weight: 700; } td.grey { color: #f0c75e; font-weight: 700; } td.negative { color: #8fd0a5; }
td.absent { font-size: 11px; color: #8fa1b3; }
.stent { font: inherit; font-size: 11px; color: #d5b3ee; background: #241c2b; border: 1px solid #54406a; border-radius: 4px; padding: 0 5px;
  margin-right: 6px; cursor: pointer; white-space: nowrap; } .stent.on { background: #6b3f8f; color: #fff; }
.planner input { width: calc(100% - 16px); margin: 6px 8px 0; background: #22282e; color: #dfe5ea; border: 1px solid #3a434c; border-radius: 5px;
  padding: 3px 6px; font: inherit; font-size: 12px; box-sizing: border-box; }
.legend { position: absolute; right: 12px; top: 34px; height: 45%; width: 11px; border-radius: 3px; pointer-events: none; }
.legend span { position: absolute; right: 17px; font-size: 11px; color: #c6d0d9; transform: translateY(-50%); white-space: nowrap;
  text-shadow: 0 0 3px #000; }
"""
