await Console.Out.WriteLineAsync("No load to run yet.");
