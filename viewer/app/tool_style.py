"""How the reading tools look, beside `viewer.app.style`."""

TOOL_STYLE = """
.mark { stroke: #ffe27a; stroke-width: 1.6; } .mark.drawing { stroke-dasharray: 4 3; }
.mark-text { position: absolute; color: #ffe27a; font-size: 11.5px; font-weight: 600; line-height: 1.15; transform: translate(5px, 4px); white-space: nowrap;
  text-shadow: 0 0 3px #000, 0 0 3px #000, 0 0 2px #000; pointer-events: none; white-space: pre; }
.mark-text.before { transform: translate(calc(-100% - 5px), 4px); text-align: right; }
.drop { stroke: #ffe27a; stroke-width: 1.6; stroke-dasharray: 6 3; }
.drop-letter { position: absolute; bottom: 3px; transform: translateX(-50%); color: #14181b; background: #ffe27a; border-radius: 3px; font-size: 10.5px;
  font-weight: 700; line-height: 1; padding: 1px 3px; pointer-events: none; }
.drop-text { position: absolute; right: 40px; top: 26px; z-index: 2; color: #ffe27a; font-size: 12px; font-weight: 600; background: #0c1013cc;
  border-radius: 4px; padding: 1px 6px; pointer-events: none; white-space: nowrap; }
.probe { position: fixed; left: 0; top: 0; z-index: 8; pointer-events: none; background: #15191de6; color: #dfe5ea; border-radius: 4px; padding: 1px 6px;
  font-size: 11.5px; white-space: nowrap; font-variant-numeric: tabular-nums; }
.conclusion label { display: grid; grid-template-columns: 84px 1fr; gap: 6px; margin-bottom: 4px; align-items: start; }
.conclusion label span, .conclusion .head { color: #8fa1b3; font-size: 11.5px; } .conclusion .head { display: block; margin: 5px 0 3px; }
.conclusion input, .conclusion textarea { font: inherit; font-size: 12px; color: #dfe5ea; background: #22282e; border: 1px solid #3a434c; border-radius: 4px;
  padding: 2px 5px; width: 100%; box-sizing: border-box; resize: vertical; user-select: text; }
.conclusion .line { display: flex; gap: 6px; margin: 4px 0; align-items: center; } .conclusion .line button { padding: 2px 8px; white-space: nowrap; }
.conclusion .state { color: #ffe27a; margin-bottom: 6px; } .conclusion .state.signed { color: #8fd0a5; } .conclusion .ask { color: #ffe27a; }
.conclusion .addendum { cursor: default; }
.brush-ring { display: none; position: absolute; transform: translate(-50%, -50%); border: 1.5px solid #ffe27a; border-radius: 50%; box-sizing: border-box; }
.rows-head { position: sticky; top: 0; z-index: 3; background: #15191d; } .tabs { display: flex; gap: 2px; padding: 4px 6px 0; }
.tabs button { font: inherit; font-size: 12px; color: #9fb3c8; background: none; border: 0; border-bottom: 2px solid transparent; padding: 2px 8px 3px;
  cursor: pointer; white-space: nowrap; } .tabs button.on { color: #fff; border-color: #6fc0f0; }
.list { padding: 6px 8px; font-size: 12px; } .list p { margin: 0 0 4px; display: flex; gap: 8px; align-items: baseline; cursor: pointer; }
.list p i { color: #8fa1b3; font-style: normal; } .list p b { font-weight: 600; font-variant-numeric: tabular-nums; }
.list button { font: inherit; font-size: 11px; color: #dfe5ea; background: #22282e; border: 1px solid #3a434c; border-radius: 4px;
  padding: 0 6px; cursor: pointer; }
.list select { font: inherit; font-size: 11.5px; appearance: auto; background: #22282e; color: #dfe5ea; border: 1px solid #3a434c; border-radius: 4px; }
.list td { vertical-align: top; } .list tr.muted td { color: #8fa1b3; }
.list td span { white-space: normal; font-size: 11px; color: #8fa1b3; margin-left: 6px; }
"""
