"""What an answer is: rows with units and every input beside them, and the words that say so."""
