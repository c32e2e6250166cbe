// Sets the theme before the first paint, so that no page flashes in the wrong one. Runs as a
// file because the content security policy forbids inline scripts. Must agree with src/lib/prefs.ts.
(function () {
  var theme = 'system';
  try {
    theme = JSON.parse(localStorage.getItem('tocsin.prefs') || '{}').theme || 'system';
  } catch {
    theme = 'system';
  }
  if (theme !== 'dark' && theme !== 'light') {
    theme = matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
  }
  document.documentElement.dataset.theme = theme;
})();
