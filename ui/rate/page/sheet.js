// A dialog with a bar at its top, which stays in view while the rest scrolls.

export function openSheet(dialog) {
  dialog.showModal();
  dialog.querySelector(".body").scrollTop = 0;
}
