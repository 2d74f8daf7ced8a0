using Moirai.Tool;

return await CommandLine.RunAsync(args);
