
for (const table of document.querySelectorAll('table.sortable')) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const up = head.getAttribute('aria-sort') !== 'ascending';
      heads.forEach(other => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      const key = row => row.cells[column].dataset.v ?? row.cells[column].textContent.trim();
      const rows = [...body.rows].map(row => ({ row, text: key(row), number: parseFloat(key(row)) }));
      const numbers = head.classList.contains('n');
      rows.sort((a, b) => {
        if (numbers && (isNaN(a.number) || isNaN(b.number))) return isNaN(a.number) - isNaN(b.number); // without a figure: last
        const order = numbers ? a.number - b.number : a.text.localeCompare(b.text, 'en', { numeric: true });
        return up ? order : -order;
      });
      body.append(...rows.map(r => r.row));
    });
  });
}
