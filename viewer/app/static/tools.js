// Pointer of the reading tools: while a tool is chosen, presses in the flat pictures are its own and page.js does not see them. Decides nothing.
(() => {
  if (window.cctaTools) return;
  window.cctaTools = true;
  const PICTURES = '#axial, #coronal, #sagittal, #cross, #cpr';
  const DRAGGED = ['length', 'ellipse'], CLICKED = ['angle', 'polygon'];
  const state = (name) => window.trame.state.get(name);
  const send = (...values) => window.ccta.send(...values);
  let chain = Promise.resolve();
  const inOrder = (name, ...values) => { chain = chain.then(() => window.trame.trigger(name, values)).catch(() => {}); };
  const at = (event, element) => {
    const box = element.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  const over = (event, selector) => event.target.closest && event.target.closest(selector);
  let drag = null;

  const down = (event) => {
    const element = over(event, PICTURES), tool = state('mode');
    if (!element || event.button !== 0) return;
    if (DRAGGED.includes(tool)) drag = { name: 'stroke', element, from: at(event, element), moved: false };
    else if (tool === 'brush' && element.id === 'cross' && state('drawing')) drag = { name: 'push', element, last: at(event, element) };
    else if (CLICKED.includes(tool)) inOrder('corner', element.id, ...at(event, element));
    else if (tool === 'drop' && element.id !== 'cpr') inOrder('drop_at', element.id, ...at(event, element));
    else return;
    event.stopPropagation();
    event.preventDefault();
  };
  const move = (event) => {
    if (drag) {
      const to = at(event, drag.element);
      circle(event, drag.element);
      if (drag.name === 'push') { inOrder('push', ...drag.last, ...to); drag.last = to; event.stopPropagation(); return; }
      drag.moved = drag.moved || Math.abs(to[0] - drag.from[0]) + Math.abs(to[1] - drag.from[1]) > 0.01;
      if (drag.moved) send(drag.name, drag.element.id, ...drag.from, ...to, false);
      event.stopPropagation();
      return;
    }
    const element = over(event, PICTURES + ', #curve');
    circle(event, element);
    if (element && CLICKED.includes(state('mode')) && element.id !== 'curve') send('corner_to', element.id, ...at(event, element));
    if (!event.buttons) probe(event, state('drawing') ? null : element);
  };
  const up = (event) => {
    if (!drag) return;
    const { name, element, from, moved, last } = drag;
    drag = null;
    event.stopPropagation();
    if (name === 'push') inOrder('push', ...last, ...at(event, element));
    else if (moved) send(name, element.id, ...from, ...at(event, element), true);
  };
  const circle = (event, element) => {
    const ring = document.querySelector('#brush-ring');
    if (!ring) return;
    const shown = element && element.id === 'cross' && state('brush') > 0;
    ring.style.display = shown ? 'block' : 'none';
    if (!shown) return;
    const [x, y] = at(event, element);
    Object.assign(ring.style, { left: `${100 * x}%`, top: `${100 * y}%`, width: `${200 * state('brush')}%`, height: `${200 * state('brush')}%` });
  };
  const wheel = (event) => {
    if (state('mode') !== 'brush' || !over(event, '#cross')) return;
    event.preventDefault();
    event.stopPropagation();
    inOrder('brush_size', event.deltaY > 0 ? -1 : 1);
  };
  let probed = false;
  const probe = (event, element) => {
    const box = document.querySelector('#probe');
    if (box) box.style.transform = `translate(${event.clientX}px, ${Math.min(event.clientY + 18, innerHeight - 24)}px) translateX(${event.clientX > 0.7 * innerWidth ? 'calc(-100% - 12px)' : '16px'})`;
    const tree = over(event, '#volume') ? null : over(event, '#tree'), view = window.trame.refs.tree_view;
    if (element) send('probe', element.id, ...at(event, element));
    else if (tree && view && view.getCamera) {
      const canvas = tree.querySelector('canvas');
      if (canvas) send('probe_tree', ...at(event, canvas), canvas.clientWidth / canvas.clientHeight, plain(view.getCamera()));
    } else if (probed) send('probe', '', 0, 0);
    probed = Boolean(element || tree);
  };
  const plain = ({ position, focalPoint, viewUp, viewAngle }) => ({ position: [...position], focalPoint: [...focalPoint], viewUp: [...viewUp], viewAngle });
  const drawn = async () => {
    const view = window.trame.refs.tree_view;
    if (!view || !view.captureImage) return;
    const reader = new FileReader();
    reader.onload = () => inOrder('tree_picture', reader.result);
    reader.readAsDataURL(await view.captureImage());
  };
  let wanted = null;
  const watched = () => {
    if (!window.trame || !window.trame.state) { setTimeout(watched, 200); return; }
    window.trame.state.watch(['wanted_picture'], (count) => { if (wanted !== null && count > wanted) drawn(); wanted = count; });
  };
  watched();
  document.addEventListener('pointerdown', down, true);
  document.addEventListener('pointermove', move, true);
  document.addEventListener('pointerup', up, true);
  document.addEventListener('wheel', wheel, { capture: true, passive: false });
  document.addEventListener('dblclick', () => { if (state('mode') === 'polygon') inOrder('close_outline'); });
})();
