var app = WebApplication.CreateSlimBuilder(args).Build();
app.MapGet("/", () => "Moirai sample service");
await app.RunAsync();
