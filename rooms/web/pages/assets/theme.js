// Light or dark: as the system has it, until somebody chooses. A classic script in the head, so that the first
// picture already has the right colours.
(() => {
  const KEY = 'rooms.theme';
  const ICONS = {
    system: 'M4 5h16v11H4zM9 20h6M12 16v4',
    light: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.5 1.5M17.5 17.5 19 19M19 5l-1.5 1.5M6.5 17.5 5 19',
    dark: 'M20 14.5A8.5 8.5 0 1 1 9.5 4 7 7 0 0 0 20 14.5z',
  };
  const NAMES = Object.keys(ICONS);
  const root = document.documentElement;

  // Storage may be forbidden; then the choice lasts as long as the page.
  const stored = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const store = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch {}
  };

  let theme = NAMES.includes(stored()) ? stored() : 'system';
  const show = () => {
    root.dataset.theme = theme;
    const button = document.getElementById('theme');
    if (!button) return;
    const icon = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    icon.setAttribute('viewBox', '0 0 24 24');
    icon.setAttribute('aria-hidden', 'true');
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('d', ICONS[theme]);
    icon.append(path);
    button.replaceChildren(icon);
    button.title = `Colours: ${theme === 'system' ? 'as the system has them' : theme}`;
    button.setAttribute('aria-label', button.title);
  };
  show();
  document.addEventListener('DOMContentLoaded', () => {
    show();
    document.getElementById('theme')?.addEventListener('click', () => {
      theme = NAMES[(NAMES.indexOf(theme) + 1) % NAMES.length];
      store(theme);
      show();
    });
  });
})();
