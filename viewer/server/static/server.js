'use strict';
// What the pages do: every change goes through the REST API with the token of this login; the worklist updates itself.
const csrf = document.querySelector('meta[name=csrf]').content;
const find = (selector) => document.querySelector(selector);

function say(text) {
  const place = find('#problem');
  place.textContent = text;
  place.hidden = !text;
}

async function ask(method, path, body) {
  const headers = { 'X-CSRF-Token': csrf };
  const form = body instanceof FormData;
  if (body && !form) headers['Content-Type'] = 'application/json';
  const answer = await fetch(path, { method, headers, body: body && !form ? JSON.stringify(body) : body });
  const text = await answer.text();
  if (answer.status === 401) location.assign('/login');
  const value = text ? JSON.parse(text) : {};
  if (!answer.ok) throw new Error(value.error);
  return value;
}

async function attempt(work) {
  say('');
  try { return await work(); } catch (error) { say(error.message); }
}

find('#log_out').addEventListener('click', () => attempt(async () => { await ask('POST', '/api/logout'); location.assign('/login'); }));

// --- password ---

find('#password_form')?.addEventListener('submit', (event) => {
  event.preventDefault();
  const form = event.target, given = new FormData(form);
  if (given.get('new') !== given.get('again')) return say(form.dataset.differ);
  attempt(async () => { await ask('POST', '/api/me/password', { old: given.get('old'), new: given.get('new') }); location.assign('/'); });
});

// --- users ---

const once = (told) => { find('#notice').textContent = `${find('#new_user').dataset.oneTime}: ${told.login} ${told.one_time_password}`; };

find('#new_user')?.addEventListener('submit', (event) => {
  event.preventDefault();
  const given = new FormData(event.target);
  attempt(async () => once(await ask('POST', '/api/users', { login: given.get('login'), full_name: given.get('full_name'), roles: given.getAll('role') })));
});

document.addEventListener('click', (event) => {
  const button = event.target.closest('tr[data-user] [data-do]');
  if (!button) return;
  const address = `/api/users/${encodeURIComponent(button.closest('tr').dataset.user)}`;
  attempt(async () => {
    if (button.dataset.do === 'password') return once(await ask('POST', `${address}/password`));
    await ask('PATCH', address, { locked: button.dataset.do === 'lock' });
    location.reload();
  });
});

// --- worklist ---

const rows = find('#rows'), filter = find('#filter');
let page = Number(new URLSearchParams(location.search).get('page')) || 1;

function wanted() {
  const values = new URLSearchParams(new FormData(filter));
  values.delete('files');
  values.set('page', page);
  return values;
}

async function refresh(byHand) {
  try {
    const answer = await fetch(`/rows?${wanted()}`, { headers: byHand ? {} : { 'X-CCTA-Quiet': '1' }, redirect: 'manual' });
    if (answer.type === 'opaqueredirect') return location.assign('/login');
    if (!answer.ok) throw new Error();
    const text = await answer.text();
    if (text !== refresh.last && !rows.querySelector('button:disabled, button[data-armed]')) rows.innerHTML = refresh.last = text;
    if (find('#problem').textContent === rows.dataset.lost) say('');
  } catch { say(rows.dataset.lost); }
}

function changed() {
  page = 1;
  const values = wanted();
  history.replaceState(null, '', `/?${values}`);
  refresh(true);
}

function arm(button) {  // a signature stays: it takes a second click within some seconds
  const label = button.textContent;
  button.dataset.armed = 'yes';
  button.textContent = button.dataset.sure;
  setTimeout(() => { delete button.dataset.armed; button.textContent = label; }, 6000);
}

async function act(button, clicks) {
  if (button.dataset.sure && !button.dataset.armed) return arm(button);
  if (button.dataset.armed && clicks > 1) return;  // the second half of a double click is no answer
  const address = `/api/studies/${button.closest('tr').dataset.study}/${button.dataset.do}`, label = button.textContent;
  button.disabled = true;
  await attempt(async () => {
    if (button.dataset.do === 'open') {
      button.textContent = rows.dataset.opening;
      location.assign((await ask('POST', address)).address);
    } else {
      await ask('POST', address, button.dataset.do === 'priority' ? { urgent: button.dataset.urgent === 'true' } : undefined);
    }
  });
  button.textContent = label;
  button.disabled = false;
  refresh(true);
}

async function upload(place, files) {
  const form = new FormData();
  for (const file of files) form.append('files', file);
  find('#notice').textContent = `${place.dataset.uploading} ...`;
  const done = await attempt(() => ask('POST', '/api/studies', form));
  find('#notice').textContent = done ? place.dataset.uploaded : '';
  refresh(true);
}

if (rows) {
  filter.addEventListener('submit', (event) => { event.preventDefault(); changed(); });
  filter.addEventListener('input', (event) => {
    if (event.target.type === 'file') return;
    clearTimeout(changed.timer);
    changed.timer = setTimeout(changed, 250);
  });
  rows.addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (button?.dataset.page) { page = Number(button.dataset.page); refresh(true); } else if (button?.dataset.do) act(button, event.detail);
  });
  const place = find('#upload');
  place?.querySelector('input').addEventListener('change', (event) => { upload(place, event.target.files); event.target.value = ''; });
  document.addEventListener('dragover', (event) => { event.preventDefault(); place?.classList.add('over'); });
  document.addEventListener('dragleave', () => place?.classList.remove('over'));
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    place?.classList.remove('over');
    if (place && event.dataTransfer.files.length) upload(place, event.dataTransfer.files);
  });
  setInterval(() => { if (!document.hidden) refresh(false); }, 5000);
}
