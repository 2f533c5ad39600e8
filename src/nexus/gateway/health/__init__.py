"""How well instances do, as real traffic shows it: circuits, and the pauses that services ask for."""
