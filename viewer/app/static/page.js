// Pointer, wheel and keys of the reading page. Says what was done to the server; decides nothing. One message of a kind is on its way at a time, and of
// those that wait only the last is sent, so that a slow server is never behind the pointer.
(() => {
  if (window.ccta) return;
  const busy = {}, next = {};
  const send = async (name, ...values) => {
    if (busy[name]) { next[name] = values; return; }
    busy[name] = true;
    try { await window.trame.trigger(name, values); } catch (error) { /* the server shows what went wrong */ }
    busy[name] = false;
    if (next[name]) { const waiting = next[name]; delete next[name]; send(name, ...waiting); }
  };
  const SLICES = ['axial', 'coronal', 'sagittal'];
  const at = (event, element) => {
    const box = element.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  const target = (event) => event.target.closest && event.target.closest('#axial, #coronal, #sagittal, #cpr, #curve, #cross, .tile, [data-twin]');
  const called = (element) => element.dataset.twin || element.id;  // the same slice of another phase
  const state = (name) => window.trame.state.get(name);
  let press = null, turned = 0;

  const down = (event) => {
    const element = target(event);
    if (!element) return;
    const handle = event.target.dataset ? event.target.dataset.handle : undefined;
    press = { element, id: called(element), button: event.button, x: event.clientX, y: event.clientY, from: at(event, element), moved: false, handle };
    turned = 0;
    if (event.button === 2 || handle !== undefined) event.preventDefault();
    if (SLICES.includes(press.id) && event.button === 0 && !state('mode')) send('slice', press.id, ...press.from);
  };
  const move = (event) => {
    if (!press) { hover(event); return; }
    const dx = event.clientX - press.x, dy = event.clientY - press.y;
    press.moved = press.moved || Math.abs(dx) + Math.abs(dy) > 3;
    if (!press.moved) return;
    const [x, y] = at(event, press.element);
    if (press.handle !== undefined) send('handle', Number(press.handle), x, y);
    else if (SLICES.includes(press.id) && press.button === 2) { send('window_to', dx, dy, press.x + press.y); }
    else if (SLICES.includes(press.id) && !state('mode')) send('slice', press.id, x, y);
    else if (press.id === 'cpr') { turned = dy; send('turn_to', dy, press.x + press.y); }
  };
  const up = (event) => {
    const last = press;
    press = null;
    if (!last || last.button !== 0) return;
    if (last.id === 'cpr' && Math.abs(turned) <= 3) send('cpr', ...at(event, last.element));
    else if (last.id === 'curve') send('curve', at(event, last.element)[0]);
    else if (last.element.classList.contains('tile')) send('curve', Number(last.element.dataset.fraction));
    else if (SLICES.includes(last.id) && state('mode') === 'point') send('point', last.id, ...last.from);
  };
  let hovered = false;
  const hover = (event) => {
    const element = target(event);
    const over = element && (element.id === 'cpr' || element.id === 'curve');
    if (over && element.id === 'cpr') send('over_cpr', at(event, element)[0]);
    else if (over) send('hover', at(event, element)[0]);
    else if (hovered) send('hover', -1);
    hovered = over;
  };
  const wheel = (event) => {
    const element = target(event), steps = event.deltaY > 0 ? 1 : -1;
    if (!element) return;
    event.preventDefault();
    if (SLICES.includes(called(element))) send('scroll', called(element), steps);
    else if (element.id === 'cpr') send('turn', 15 * steps);
    else if (element.id === 'cross' || element.classList.contains('tile')) send('step', steps);
  };
  const key = (event) => {
    if (['INPUT', 'TEXTAREA', 'SELECT'].includes(event.target.tagName) || event.altKey || event.metaKey) return;
    const name = (event.ctrlKey ? 'ctrl+' : '') + (event.shiftKey ? 'shift+' : '') + event.key.toLowerCase();
    if (!(state('key_names') || []).includes(name)) return;
    event.preventDefault();
    send('key', name);
  };
  document.addEventListener('pointerdown', down);
  document.addEventListener('pointermove', move);
  document.addEventListener('pointerup', up);
  document.addEventListener('wheel', wheel, { passive: false });
  document.addEventListener('keydown', key);
  document.addEventListener('change', (event) => { if (event.target.tagName === 'SELECT') event.target.blur(); });  // so that hot keys work again
  document.addEventListener('contextmenu', (event) => { if (target(event)) event.preventDefault(); });
  window.ccta = { send };
})();
