"""How the controls of the views look, and the page on a smaller screen."""

VIEW_STYLE = """
.room { grid-template-rows: 36px 28px minmax(0, 1fr) minmax(0, 1fr); } .side { grid-row: 2 / 5; }
.viewbar { grid-column: 1 / 3; display: flex; gap: 5px; align-items: center; background: #15191d; border-radius: 6px; padding: 0 8px; min-width: 0;
  overflow: hidden; white-space: nowrap; font-size: 11.5px; }
.viewbar select, .viewbar button, .switches select, .switches button { font: inherit; font-size: 11.5px; color: #dfe5ea; background: #22282e;
  border: 1px solid #3a434c; border-radius: 5px; padding: 1px 6px; cursor: pointer; white-space: nowrap; appearance: auto; }
.viewbar select { max-width: 118px; }
.viewbar button.on, .switches button.on { background: #27465e; color: #fff; border-color: #6fc0f0; }
.viewbar input[type=range] { width: 74px; flex: 0 1 74px; min-width: 40px; accent-color: #6fc0f0; }
.viewbar .number { color: #b8c4cf; font-variant-numeric: tabular-nums; } #window-now { margin-left: auto; }
.viewbar .scale { color: #b8c4cf; } .viewbar .scale i { display: inline-block; width: 60px; height: 9px; border-radius: 2px; background: var(--scale);
  vertical-align: middle; }
.switches { position: absolute; z-index: 3; right: 6px; top: 3px; display: flex; gap: 6px; align-items: center; font-size: 11px; color: #c6d0d9; }
.low-switches { top: auto; bottom: 5px; right: auto; left: 6px; }
.classes { text-shadow: 0 0 3px #000, 0 0 3px #000; white-space: nowrap; } .classes > span { margin-right: 7px; }
.classes i { display: inline-block; width: 9px; height: 9px; border-radius: 2px; margin-right: 3px; }
.slice .fit, .volume { touch-action: none; }
.grip { position: absolute; width: 24px; height: 24px; margin: -12px 0 0 -12px; pointer-events: auto; cursor: grab; touch-action: none; }
.grip::after { content: ''; position: absolute; inset: 8px; border-radius: 50%; border: 1.5px solid #ffffffa0; background: #0004; opacity: 0.55; }
.grip:hover::after, .grip:active::after { inset: 5px; opacity: 1; border-color: #fff; }
.volume { position: absolute; inset: 0; z-index: 1; background: #090a0d; cursor: grab; display: flex; align-items: center; justify-content: center; }
.volume img { max-width: 100%; max-height: 100%; width: 100%; height: 100%; object-fit: contain; aspect-ratio: 1; }
.pane > .legend { z-index: 2; }
.cprpane { container-type: size; }
.cprbox.curved { left: 8px; right: 8px; top: 24px; bottom: 4px; margin: 0 auto; width: min(100cqw - 16px, (100cqh - 28px) * var(--ratio));
  height: auto; bottom: auto; aspect-ratio: var(--ratio); }
.side.curved { grid-template-rows: auto minmax(150px, 2.2fr) minmax(100px, 0.7fr) auto minmax(170px, 1.1fr); }
@media (max-width: 1200px) {
  .room { grid-template-rows: auto auto minmax(0, 1fr) minmax(0, 1fr); } .bar, .viewbar { flex-wrap: wrap; padding: 3px 8px; }
  .bar .sub { display: none; } .bar .note { flex: 1 0 200px; }
}
"""
