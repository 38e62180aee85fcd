"""What is known from data sheets, configurations and code: hardware, models, engines, and what follows by counting."""
