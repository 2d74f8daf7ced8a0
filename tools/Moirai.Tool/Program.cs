using System.CommandLine;

return await new RootCommand("moirai: looks into a running process that uses Moirai.").Parse(args).InvokeAsync();
