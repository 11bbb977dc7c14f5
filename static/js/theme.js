/** Runs before the first paint: the viewer's theme, else the address's, else the system's. */
(() => {
  const asked = new URLSearchParams(location.search).get('__theme') ?? localStorage.getItem('vitrine-theme');
  const dark = asked ? asked === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  const apply = () => document.body.classList.toggle('dark', dark);
  if (document.body) apply();
  else document.addEventListener('DOMContentLoaded', apply);
  addEventListener('load', () => setTimeout(apply, 0), { once: true });
})();
