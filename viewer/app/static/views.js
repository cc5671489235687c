// Pointer of the views: ends of the cross-hair's lines turn it, as does a drag with Shift; the 3-D picture turns, zooms and is clicked. Decides nothing.
(() => {
  if (window.cctaViews) return;
  window.cctaViews = true;
  const send = (...values) => window.ccta.send(...values);
  let press = null;
  const grip = (event) => event.target.closest && event.target.closest('.grip');
  const slice = (event) => event.target.closest && event.target.closest('#axial, #coronal, #sagittal, [data-twin]');
  const angle = (event, middle) => (180 / Math.PI) * Math.atan2(event.clientY - middle[1], event.clientX - middle[0]);

  const down = (event) => {
    const element = slice(event), volume = event.target.closest && event.target.closest('#volume');
    if (element && (grip(event) || (event.shiftKey && event.button === 0))) {
      const box = element.getBoundingClientRect(), hair = element.querySelector('.hair');
      const middle = [box.left + (box.width * Number(hair.dataset.x)) / 100, box.top + (box.height * Number(hair.dataset.y)) / 100];
      press = { name: element.dataset.twin || element.id, middle, last: angle(event, middle), turned: 0, gesture: event.timeStamp };
    } else if (volume && event.button === 0) {
      press = { volume, x: event.clientX, y: event.clientY, moved: false, gesture: event.timeStamp };
    } else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  const move = (event) => {
    if (!press) return;
    event.stopImmediatePropagation();
    if (press.volume) {
      const dx = event.clientX - press.x, dy = event.clientY - press.y;
      press.moved = press.moved || Math.abs(dx) + Math.abs(dy) > 3;
      if (press.moved) send('volume_turn', dx, dy, press.gesture);
      return;
    }
    const now = angle(event, press.middle);
    press.turned += ((now - press.last + 540) % 360) - 180;
    press.last = now;
    send('rotate_to', press.name, press.turned, press.gesture);
  };
  const up = (event) => {
    if (!press) return;
    event.stopImmediatePropagation();
    if (press.volume && !press.moved) {
      const box = press.volume.querySelector('img').getBoundingClientRect();
      send('volume_at', (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    }
    press = null;
  };
  const wheel = (event) => {
    if (!event.target.closest || !event.target.closest('#volume')) return;
    event.preventDefault();
    send('volume_zoom', event.deltaY > 0 ? 1 : -1);
  };
  document.addEventListener('pointerdown', down, true);
  document.addEventListener('pointermove', move, true);
  document.addEventListener('pointerup', up, true);
  document.addEventListener('wheel', wheel, { passive: false });
})();
